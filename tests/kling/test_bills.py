"""What Kling has billed: units and money are read apart and never added to each other."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.kling.wire.bills import Bill, bill_of, total

UNIT = {"charge_type": "unit", "amount": "1.5", "package_type": "video"}
USD = {"charge_type": "cash", "amount": "0.21", "cash_type": "balance", "currency": "USD", "list_price": "0.25"}
CNY = {**USD, "currency": "CNY", "amount": "3", "list_price": "3"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"billing": [UNIT]}, "1.5 units"),
        ({"billing": [{**USD, "amount": "0.42"}]}, "0.42 USD"),
        ({"billing": [UNIT, USD]}, "1.5 units and 0.21 USD"),
        ({"billing": [USD, CNY]}, "0.21 USD and 3 CNY"),
        ({"billing": [USD, USD]}, "0.42 USD"),
        ({"billing": [{"amount": "0"}]}, "0 units"),
        ({"billing": [{"amount": "7"}]}, "7 of a kind that Kling does not name"),
        ({"billing": [{**UNIT, "charge_type": "coupon"}]}, "1.5 of a kind that Kling does not name"),
        ({"billing": [{**USD, "currency": None}]}, "0.21 of a currency that Kling does not name"),
        ({"final_unit_deduction": "2.5", "final_balance_deduction": {"quota": "0", "list_price": "0"}}, "2.5 units"),
        (
            {"final_unit_deduction": "0", "final_balance_deduction": {"quota": "0.35", "list_price": "0.4"}},
            "0.35 of a currency that Kling does not name",
        ),
        (
            {"final_unit_deduction": "1", "final_balance_deduction": {"quota": "0.35", "currency": "USD"}},
            "1 units and 0.35 USD",
        ),
        ({"final_unit_deduction": 0}, "0 units"),
        ({"billing": [{**UNIT, "amount": "-3"}], "final_unit_deduction": "2"}, "2 units"),
    ],
)
def test_a_bill_says_what_was_taken(answer, words):
    assert str(bill_of(answer)) == words


@pytest.mark.parametrize("answer", [None, "3", {}, {"billing": []}, {"billing": None}, {"billing": [{"amount": "?"}]}])
def test_where_nothing_is_told_there_is_no_bill(answer):
    assert bill_of(answer) is None


def test_the_list_price_is_no_second_price():
    bill = bill_of({"billing": [USD]})
    assert (bill.cash, bill.list_price, bill.units) == ({"USD": Decimal("0.21")}, {"USD": Decimal("0.25")}, None)


@pytest.mark.parametrize(("answer", "is_free"), [({"billing": [{"amount": "0"}]}, True), ({"billing": [USD]}, False)])
def test_it_is_free_when_nothing_of_any_kind_was_taken(answer, is_free):
    assert bill_of(answer).is_free is is_free


amounts = st.decimals(0, 1000, places=3)
entries = st.lists(
    st.one_of(
        st.builds(lambda amount: {"charge_type": "unit", "amount": str(amount)}, amounts),
        st.builds(
            lambda amount, currency: {"charge_type": "cash", "amount": str(amount), "currency": currency},
            amounts,
            st.sampled_from(["USD", "CNY"]),
        ),
    ),
    min_size=1,
    max_size=6,
)


@given(entries)
def test_each_kind_is_added_up_to_the_last_digit_and_by_itself(billing):
    bill = bill_of({"billing": billing})

    def sum_of(**wanted):
        return sum(Decimal(one["amount"]) for one in billing if wanted.items() <= one.items())

    assert (bill.units or 0) == sum_of(charge_type="unit")
    for currency in ("USD", "CNY"):
        assert bill.cash.get(currency, 0) == sum_of(charge_type="cash", currency=currency)


@given(st.lists(entries, max_size=3))
def test_the_order_of_bills_does_not_matter_and_they_outlive_storage(several):
    bills = [bill_of({"billing": billing}) for billing in several]
    forth, back = total(bills), total(reversed(bills))
    assert forth == back
    if forth is not None:
        assert Bill.model_validate_json(forth.model_dump_json()) == forth


def test_a_stored_amount_is_a_text_without_exponent():
    stored = (Bill(units=Decimal("1E+3")) + Bill(cash={"USD": Decimal("0.0001")})).model_dump(mode="json")
    assert (stored["units"], stored["cash"]) == ("1000", {"USD": "0.0001"})


@pytest.mark.parametrize(("units", "cash"), list(product([None, "1.5"], [{}, {"USD": "0.21"}, {"CNY": "0"}])))
def test_the_columns_of_tables_say_each_kind_for_itself(units, cash):
    columns = Bill(units=units, cash=cash).columns
    assert columns == {"billed_units": units, "billed_cash": "0.21 USD" if "USD" in cash else None}
