"""What can be asked for, per model: every rule broken once, and the bodies that are sent."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.kling import (
    ApiFamily,
    ApiKeyAuth,
    InvalidRequestError,
    KlingClient,
    TextToVideoRequest,
    check_request,
    parse_request,
    quote,
    registry,
)
from airflow_provider_klingvideo.kling.client.operations import create

NEW, LEGACY = ApiFamily.NEW, ApiFamily.LEGACY
TEXT = {"prompt": "A fox"}
PICTURE = {"kind": "image_to_video", "first_frame": "https://example.org/a.png"}

KINDS = {"text_to_video", "image_to_video"}
"""The other products have tests of their own."""


def broken(params, family=NEW):
    with pytest.raises(InvalidRequestError) as caught:
        check_request(parse_request(params), family)
    return str(caught.value)


class TestParsing:
    def test_a_prompt_alone_is_a_text_to_video_request(self):
        request = parse_request(TEXT)
        assert isinstance(request, TextToVideoRequest)
        assert (request.model, request.duration, request.resolution) == ("kling-3.0-turbo", 5, "720p")

    def test_a_first_frame_makes_it_one_from_a_picture(self):
        assert parse_request({"first_frame": "https://example.org/a.png"}).kind == "image_to_video"

    def test_values_may_be_text_as_templates_and_csv_give_them(self):
        request = parse_request({**TEXT, "duration": "10", "watermark": "True", "cfg_scale": "0.5"})
        assert (request.duration, request.watermark, request.cfg_scale) == (10, True, 0.5)

    @pytest.mark.parametrize("name", ["kling-v3", "kling-3.0"])
    def test_either_generations_name_is_the_same_model(self, name):
        assert parse_request({**TEXT, "model": name}).model == "kling-3.0"

    @pytest.mark.scenario(3)
    def test_a_data_prefix_is_stripped(self):
        for scheme in ("data", "DATA"):
            assert parse_request({"first_frame": f"{scheme}:image/png;base64,iVBOR"}).first_frame == "iVBOR"

    @pytest.mark.parametrize(
        ("params", "words"),
        [
            ({"kind": "image_to_video"}, "first_frame: is missing"),
            ({**TEXT, "callback": "x"}, "`callback` is called `callback_url` here"),
            ({**TEXT, "duration": "five"}, "duration"),
            ({**TEXT, "kind": "hologram"}, "kind"),
            ({**TEXT, "cfg_scale": 2}, "cfg_scale"),
            ({**TEXT, "audio": "loud"}, "audio"),
            ({"kind": "multi_image_to_video"}, "Kling retired multi_image_to_video"),
            ({"kind": "video_extend"}, "Kling retired video_extend"),
            ({**TEXT, "camera_control": {}}, "`camera_control` is retired .legal: the words of the prompt"),
            ({**PICTURE, "static_mask": "x"}, "`static_mask` is retired .legal: kind motion_control"),
        ],
    )
    def test_every_fault_is_named(self, params, words):
        with pytest.raises(InvalidRequestError, match=words) as caught:
            parse_request(params)
        assert "pydantic" not in str(caught.value)

    def test_a_picture_is_never_shown_in_an_error(self):
        with pytest.raises(InvalidRequestError) as caught:
            parse_request({"first_frame": "iVBOR" * 1000, "duration": ["iVBOR" * 1000]})
        assert len(str(caught.value)) < 600

    @given(st.dictionaries(st.text(max_size=20), st.none() | st.text() | st.integers() | st.lists(st.text())))
    def test_anything_is_a_request_or_a_clear_error(self, params):
        with contextlib.suppress(InvalidRequestError):
            assert parse_request({**TEXT, **params}).kind == "text_to_video"


class TestRules:
    @pytest.mark.scenario(1, 2)
    @pytest.mark.parametrize(
        ("params", "family", "words"),
        [
            ({"prompt": ""}, NEW, "prompt: is missing (legal: a text of at most 3072 characters, or shots)"),
            ({"prompt": " \n"}, NEW, "prompt: is missing (legal: a text of at most 3072 characters, or shots)"),
            ({"model": "kling-3.0"}, LEGACY, "prompt: is missing (legal: a text of at most 2500 characters, or shots)"),
            ({**TEXT, "resolution": "4k"}, NEW, "resolution: '4k' is not offered (legal: 720p, 1080p)"),
            ({**TEXT, "duration": 2}, NEW, "duration: 2 is not offered (legal: 3 to 15 seconds)"),
            ({**TEXT, "model": "kling-2.6", "duration": 7}, NEW, "duration: 7 is not offered (legal: 5 or 10 seconds)"),
            ({**TEXT, "aspect_ratio": "4:3"}, NEW, "aspect_ratio: '4:3' is not offered (legal: 16:9, 9:16, 1:1)"),
            ({**TEXT, "audio": "off"}, NEW, "audio: 'off' is not offered (legal: native)"),
            ({**TEXT, "model": "kling-2.5-turbo", "audio": "native"}, NEW, "audio: 'native' is not offered (legal: of"),
            ({**TEXT, "model": "kling-2.6", "audio": "native"}, NEW, "resolution: '720p' is not offered (legal: 1080p"),
            ({**PICTURE, "last_frame": "https://e.org/b.png"}, NEW, "last_frame: is not known to kling-3.0-turbo (leg"),
            (
                {**PICTURE, "model": "kling-2.6", "last_frame": "https://e.org/b.png"},
                NEW,
                "resolution: '720p' is not offered (legal: 1080p with a last_frame)",
            ),
            (
                {
                    **PICTURE,
                    "model": "kling-2.6",
                    "last_frame": "https://e.org/b.png",
                    "resolution": "1080p",
                    "audio": "native",
                },
                NEW,
                "audio: 'native' is not offered (legal: off with a last_frame)",
            ),
            ({"prompt": "x" * 3073}, NEW, "prompt: has 3073 characters (legal: at most 3072 characters)"),
            ({**PICTURE, "prompt": "x" * 2501}, NEW, "prompt: has 2501 characters (legal: at most 2500 characters)"),
            ({**TEXT, "negative_prompt": "rain"}, NEW, "negative_prompt: is not known to this model in the new API fa"),
            ({**TEXT, "model": "kling-3.0", "negative_prompt": "x" * 2501}, LEGACY, "negative_prompt: has 2501 charac"),
            ({**TEXT, "cfg_scale": 0.5}, NEW, "cfg_scale: is not known to kling-3.0-turbo in the new API family (lega"),
            ({**TEXT, "model": "kling-2.6", "cfg_scale": 0.5}, LEGACY, "cfg_scale: is not known to kling-2.6 in the l"),
            ({**TEXT, "model": "kling-2.6", "multi_shot": True}, NEW, "multi_shot: is not known to kling-2.6 (legal:"),
        ],
    )
    def test_each_rule_names_the_value_and_what_is_legal(self, params, family, words):
        assert words in broken(params, family)

    def test_all_broken_rules_are_named_at_once(self):
        message = broken({**TEXT, "duration": 99, "resolution": "8k", "aspect_ratio": "2:1"})
        assert all(word in message for word in ("duration", "resolution", "aspect_ratio"))

    def test_a_retired_model_is_refused_with_date_and_successor(self):
        message = broken({**TEXT, "model": "kling-v1-6"}, LEGACY)
        assert "retired kling-v1-6 on 2026-09-15" in message
        assert "legal: kling-2.5-turbo" in message

    def test_a_model_of_the_other_generation_is_refused_with_the_way_out(self):
        message = broken(TEXT, LEGACY)
        assert "not offered by the legacy API family, only by new" in message
        assert "kling-3.0, kling-2.6, kling-2.5-turbo" in message

    def test_an_unknown_model_is_let_through_with_a_warning_or_refused(self):
        request = parse_request({**TEXT, "model": "kling-4.0"})
        assert "does not know kling-4.0" in check_request(request, NEW)[0]
        with pytest.raises(InvalidRequestError, match=r"kling-4\.0"):
            check_request(request, NEW, unknown_models="refuse")

    def test_every_current_model_takes_its_own_defaults(self):
        for can in registry().capabilities:
            if not can.is_retired and can.kind in ("text_to_video", "image_to_video"):
                source = PICTURE if can.kind == "image_to_video" else TEXT
                assert check_request(parse_request({**source, "model": can.model}), can.family) == []


class TestRegistry:
    def test_every_row_has_its_source_and_the_whole_a_date(self):
        assert registry().as_of == "2026-11-22"
        book = registry().book
        assert all(row.source and row.confidence for row in (*registry().capabilities, *book.prices, *book.rates))

    def test_the_forms_choices(self):
        known = registry()
        assert known.model_names("text_to_video") == ["kling-3.0-turbo", "kling-3.0", "kling-2.6", "kling-2.5-turbo"]
        assert known.durations("text_to_video") == list(range(3, 16))
        assert known.resolutions("text_to_video") == ["720p", "1080p", "4k"]
        assert known.aspect_ratios("image_to_video") == []
        assert known.prompt_max("image_to_video") == 3072
        assert known.label("kling-v3") == "Kling 3.0"
        assert known.label("kling-9") == "kling-9"
        assert known.typical_seconds("text_to_video", "kling-9") == 120


class TestPrices:
    @pytest.mark.parametrize(
        ("params", "units"),
        [
            ({"model": "kling-3.0-turbo", "resolution": "1080p"}, "5"),
            ({"model": "kling-3.0", "audio": "native"}, "4.5"),
            ({"model": "kling-3.0"}, "3"),
            ({"model": "kling-2.5-turbo", "duration": 10}, "3"),
        ],
    )
    def test_an_estimate_follows_the_seconds_asked_for(self, params, units):
        price = quote(parse_request({**TEXT, **params}), NEW)
        assert (price.units, price.money) == (Decimal(units), Decimal(units) * Decimal("0.14"))

    @pytest.mark.parametrize("params", [{"model": "kling-4.0"}, {"model": "kling-2.6", "audio": "native"}])
    def test_no_price_is_better_than_a_wrong_one(self, params):
        assert quote(parse_request({**TEXT, **params}), NEW).units is None


class TestBodies:
    def test_new_text(self):
        request = parse_request(
            {
                **TEXT,
                "model": "kling-3.0",
                "audio": "native",
                "multi_shot": False,
                "watermark": True,
                "callback_url": "https://e.org/cb",
            }
        )
        operation = create(request, NEW, "job-1")
        assert operation.path == "/text-to-video/kling-3.0"
        assert operation.json == {
            "prompt": "A fox",
            "settings": {
                "resolution": "720p",
                "duration": 5,
                "aspect_ratio": "16:9",
                "audio": "native",
                "multi_shot": False,
            },
            "options": {
                "external_task_id": "job-1",
                "callback_url": "https://e.org/cb",
                "watermark_info": {"enabled": True},
            },
        }

    def test_new_picture(self):
        request = parse_request({**PICTURE, "model": "kling-3.0", "prompt": "it moves", "last_frame": "QUJD"})
        body = create(request, NEW, "job-1").json
        assert body["contents"] == [
            {"type": "prompt", "text": "it moves"},
            {"type": "first_frame", "url": "https://example.org/a.png"},
            {"type": "last_frame", "url": "QUJD"},
        ]
        assert "aspect_ratio" not in body["settings"]

    def test_a_model_without_a_choice_of_sound_gets_no_field_for_it(self):
        body = create(parse_request({**TEXT, "audio": "native"}), NEW, "job-1").json
        assert "audio" not in body["settings"]

    def test_legacy_text(self):
        request = parse_request(
            {
                **TEXT,
                "model": "kling-3.0",
                "resolution": "4k",
                "audio": "native",
                "negative_prompt": "rain",
                "cfg_scale": 0.3,
                "multi_shot": True,
                "watermark": True,
            }
        )
        operation = create(request, LEGACY, "job-1")
        assert operation.path == "/v1/videos/text2video"
        assert operation.json == {
            "model_name": "kling-v3",
            "mode": "4k",
            "duration": "5",
            "external_task_id": "job-1",
            "prompt": "A fox",
            "negative_prompt": "rain",
            "cfg_scale": 0.3,
            "sound": "on",
            "watermark_info": {"enabled": True},
            "multi_shot": True,
            "shot_type": "intelligence",
            "aspect_ratio": "16:9",
        }

    def test_legacy_picture(self):
        body = create(parse_request({**PICTURE, "model": "kling-2.6", "audio": "off"}), LEGACY, "job-1").json
        assert body == {
            "model_name": "kling-v2-6",
            "mode": "std",
            "duration": "5",
            "external_task_id": "job-1",
            "sound": "off",
            "image": "https://example.org/a.png",
        }

    def test_an_unknown_model_is_sent_under_its_own_name(self):
        request = parse_request({**TEXT, "model": "kling-4.0", "audio": "native"})
        assert create(request, NEW, "j").path == "/text-to-video/kling-4.0"
        assert create(request, LEGACY, "j").json["model_name"] == "kling-4.0"


class TestText:
    """Text is read as its writer meant it, however it was typed or copied."""

    @pytest.mark.parametrize(
        "model",
        [
            " kling-2.5-turbo ",
            "\tkling-2.5-turbo\n",
            "\u00a0kling-2.5-turbo\u3000",
            "kling-2.5-turbo\u200b",
            "\ufeffkling-2.5-turbo",
            "kling\u00ad-2.5-turbo",
            "KLING-2.5-TURBO",
            "Kling 2.5 Turbo",
            "kling_2.5_turbo",
            "kling\u20112.5\u2013turbo",
            "\uff4b\uff4c\uff49\uff4e\uff47-\uff12.\uff15-turbo",
            "kling-2.5-turb\u043e",
            "Kling-V2-5-Turbo",
        ],
    )
    def test_every_spelling_of_a_model_is_that_model(self, model):
        assert parse_request({**TEXT, "model": model}).model == "kling-2.5-turbo"

    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("duration", " 5 ", 5),
            ("duration", "\uff15", 5),
            ("duration", "5.0", 5),
            ("duration", "\u00a05\u200b", 5),
            ("duration", "05", 5),
            ("watermark", "TRUE", True),
            ("watermark", " no ", False),
            ("watermark", "\uff11", True),
            ("watermark", "0.0", False),
            ("aspect_ratio", " 9:16 ", "9:16"),
            ("aspect_ratio", "9\uff1a16", "9:16"),
            ("aspect_ratio", "9\u223616", "9:16"),
            ("resolution", "1080P", "1080p"),
            ("resolution", " 4K", "4k"),
            ("audio", "Native", "native"),
            ("callback_url", " https://a.example/b\n", "https://a.example/b"),
            ("prompt", " A \u200d fox \n", " A \u200d fox \n"),
            ("prompt", "A\x1a fox\x00\x1b[2J\ttail\r\n", "A fox[2J\ttail\r\n"),
        ],
    )
    def test_it_is_read_as_it_was_meant(self, name, text, value):
        assert getattr(parse_request({**TEXT, name: text}), name) == value

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("duration", "5 s"),
            ("duration", "5,0"),
            ("duration", "1e1"),
            ("duration", "five"),
            ("duration", True),
            ("duration", "0x5"),
            ("duration", "5_0"),
            ("watermark", "maybe"),
            ("watermark", "2"),
            ("model", " "),
            ("model", "kling-2.6\x1a"),
            ("audio", "nativ"),
        ],
    )
    def test_what_stays_ambiguous_is_refused(self, name, text):
        with pytest.raises(InvalidRequestError, match=name):
            parse_request({**TEXT, name: text})

    @pytest.mark.parametrize("digits", ["8.29837E+17", "8,29837e17", " 8.29837E+17"])
    def test_an_id_that_a_spreadsheet_has_rounded_is_refused(self, digits):
        with pytest.raises(InvalidRequestError, match="a spreadsheet has rounded"):
            parse_request({"kind": "lip_sync", "video_id": digits})


class TestMisspeltModels:
    @pytest.mark.parametrize(
        ("model", "meant"),
        [
            ("kling-2.5-trubo", "kling-2.5-turbo"),
            ("kling-2.5turbo", "kling-2.5-turbo"),
            ("kling-25-turbo", "kling-2.5-turbo"),
            ("kling-2,5-turbo", "kling-2.5-turbo"),
            ("klng-2.6", "kling-2.6"),
            ("kling-3.0-omnii", "kling-3.0-omni"),
            ("kling2.6", "kling-2.6"),
        ],
    )
    def test_they_are_refused_with_the_model_that_was_meant(self, model, meant):
        request = parse_request({**TEXT, "model": model})
        with pytest.raises(InvalidRequestError, match=f"'{model}' is no model that is known; did you mean '{meant}'"):
            check_request(request, NEW)
        assert check_request(request, NEW, unknown_models="send")

    @pytest.mark.parametrize("model", ["../account/costs", "a/b", "a?b", "a#b", "a%2fb", "..", ".", "a b", "a\\b"])
    @pytest.mark.parametrize("policy", ["warn", "refuse", "send"])
    def test_what_leads_elsewhere_is_no_name(self, model, policy):
        with pytest.raises(InvalidRequestError, match="is no name of a model"):
            check_request(parse_request({**TEXT, "model": model}), NEW, unknown_models=policy)

    def test_a_model_of_another_product_is_refused_with_what_it_makes(self):
        request = parse_request({**TEXT, "model": "kling-3.0-omni"})
        with pytest.raises(InvalidRequestError, match=r"no model of text_to_video; it makes omni_video"):
            check_request(request, NEW)
        assert check_request(request, NEW, unknown_models="send")

    @pytest.mark.parametrize("url", ["h", "ftp://h/x", "https://", "http:///x", "https:// h"])
    def test_a_callback_goes_to_a_web_address(self, url):
        with pytest.raises(InvalidRequestError, match=r"callback_url: .* is no web address .legal: https://HOST/PATH"):
            parse_request({**TEXT, "callback_url": url})
        assert parse_request({**TEXT, "callback_url": " https://h/hook?x=1 "}).callback_url == "https://h/hook?x=1"

    @pytest.mark.parametrize("model", ["kling-4.0", "kling-3.1-turbo", "kling-v4", "kling-9", "somebody-elses-model"])
    def test_another_version_is_no_misspelling(self, model):
        assert "does not know" in check_request(parse_request({**TEXT, "model": model}), NEW)[0]


@pytest.mark.parametrize("kind", [" Text_To_Video ", "TEXT-TO-VIDEO", "text to video", "\u200btext_to_video"])
def test_the_kind_is_known_in_every_spelling(kind):
    assert parse_request({"prompt": "A fox", "kind": kind}).kind == "text_to_video"


@pytest.mark.parametrize(("api", "family"), [(" New ", "new"), ("LEGACY", "legacy"), ("Auto", "new"), ("", "new")])
def test_the_api_family_is_known_in_every_spelling(api, family):
    with KlingClient(ApiKeyAuth("k"), base_url="http://127.0.0.1:1") as client:
        assert client.family_for(parse_request({"prompt": "A fox"}), api) == family
