"""Text of which nobody wants a video."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.kling import InvalidRequestError
from airflow_provider_klingvideo.kling.client.fields import cell_as_meant
from airflow_provider_klingvideo.kling.client.unmeant import is_comment, no_prompt, no_value
from airflow_provider_klingvideo.workflow.inputs.creation import asked_for, request_of

# As programs write them, and spreadsheets in English, German, French, Spanish, Portuguese, Italian and Dutch.
NO_VALUES = """
nan None null <NA> NaT nil undefined N/A \\N (null) (None) #N/A #NV #N/D #NAME? #REF! #VALUE! #DIV/0!
#NUM! #NULL! #SPILL! #CALC! #ERROR! #FIELD! #BLOCKED! #UNKNOWN! #BEZUG! #WERT! #ZAHL! #ÜBERLAUF! #KALK!
#NOM? #VALEUR! #NOMBRE! #¡VALOR! #¡REF! #¿NOMBRE? #¡DIV/0! #VALOR! #NOME? #RIF! #VALORE! #WAARDE! #VERW!
#GETTING_DATA Err:502 Err:508 Loading... ### ############ =A1 =$B$12 =SUM(A1:A3) =VLOOKUP(A1;B:C;2)
""".split()  # noqa: SIM905 - as a list it is a page long
NO_PROMPTS = (
    "NA Total TOTAL: Subtotal Sum Average Summe Gesamt ... - — ?? !!! {{ds}} {%if%} //old #\told",
    "# old shots",
    "// A fox runs, later",
    "Grand total",
    "A fox on {{ ds }}",
    "{% if x %}a{% endif %}",
    "[object Object]",
    "Total: 12 videos",
    "Subtotal = 3",
    "Notes:",
    "Scene 1:",
    "Page 1 of 2",
    "page 3/4",
    "EOF",
    "--- end of file ---",
    "Exported on 2026-11-26 10:00:00Z",
    "Last modified: 26.11.2026",
)
PROMPTS = [
    "A red fox",
    "1984",
    "🦊",
    "#sunset over the sea",
    "#WOW",
    "狐狸",
    "None of them moves",
    "A total eclipse",
    "Sum of all fears",
    "# Scene 1\nA fox runs",
    "A { b } and {c}",
    "= love",
    "n/a is written on a wall",
    "Nana",
    "A fox says: run",
    "Three words said here:",
    "Created by magic, a castle rises",
    "Created 5 foxes in snow",
    "Page 1 of a burning book",
    "The end of the file of ants",
    "Total: war",
    "https://h/a",
]
WHOLE = [*NO_PROMPTS[0].split(" "), *NO_PROMPTS[1:]]


@pytest.mark.parametrize("text", NO_VALUES)
@pytest.mark.parametrize("spelled", [str, str.upper, str.lower, lambda text: f" {text}\n"])
def test_no_value_is_one_in_no_field(text, spelled):
    # Errors of spreadsheets and formulas are written in capitals; `#wow!` may be meant.
    if text[0] in "#=" and spelled is str.lower:
        return
    for field in ("prompt", "negative_prompt", "key", "duration", "model"):
        with pytest.raises(ValueError, match="stands for no value"):
            cell_as_meant(field, spelled(text))


@pytest.mark.parametrize("text", [*NO_VALUES, *WHOLE])
def test_it_is_no_prompt_of_a_row_or_of_a_request(text):
    with pytest.raises(ValueError, match="leave the cell empty, or the row out"):
        cell_as_meant("prompt", text)
    with pytest.raises(InvalidRequestError, match="prompt") as caught:
        request_of(*asked_for({"prompt": text}))
    assert "the words of the video" in str(caught.value)


@pytest.mark.parametrize("text", WHOLE)
def test_what_is_no_prompt_may_be_said(text):
    if no_value(text):
        return
    assert cell_as_meant("negative_prompt", text) == text


@pytest.mark.parametrize("text", PROMPTS)
def test_a_prompt_stays_one(text):
    assert cell_as_meant("prompt", text) == text
    assert request_of(*asked_for({"prompt": text}))[0].prompt == text


def test_yes_and_no_are_no_prompt():
    for value in (True, False):
        with pytest.raises(InvalidRequestError, match="prompt"):
            request_of(*asked_for({"prompt": value}))


@given(st.text())
def test_a_text_with_letters_around_it_is_a_prompt_or_says_why_not(text):
    assert no_prompt(f"A fox {text.replace('{', '').strip()} runs") == ""
    assert no_prompt(text) == "" or no_prompt(text)[0].islower()
    assert not is_comment(f"A fox {text}")
