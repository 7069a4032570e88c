"""What the comparison says in words and on the first page."""

from __future__ import annotations

from robustmia.inference.comparison import RunSummary, compare
from robustmia.reporting.conclusions import conclusions_table, conclusions_text, first_page
from synthetic import comparison, run_decisions


def words_of(natural: float, pgd: float, ibp: float, seeds: int = 3) -> str:
    return " ".join(conclusions_text(comparison(natural, pgd, ibp, seeds)))


def test_one_seed_has_no_agreement_and_says_so():
    table = comparison(0.55, 0.65, 0.55, seeds=1)
    assert conclusions_table(table)["same sign for all seeds"].tolist() == ["", "", ""]
    words = " ".join(conclusions_text(table))
    assert "There is only one seed, so these statements are about these trained models" in words
    assert "significantly more" in words


def test_without_a_natural_run_nothing_is_said_of_differences():
    alone = compare({"pgd": RunSummary.of("pgd", run_decisions({"s/a/split": 0.6}))})
    assert "Compared with natural training" not in " ".join(conclusions_text(alone))
    assert conclusions_table(alone)["difference from natural"].tolist() == [""]


def test_words_say_what_is_significant():
    words = words_of(0.55, 0.65, 0.55)
    assert "pgd leaks most" in words
    assert "pgd (+" in words
    assert "leaks significantly more" in words
    assert "no significant difference is found" in words
    assert "There is only one seed" not in words
    assert "leak significantly less" in words_of(0.65, 0.55, 0.55)
    assert "No run is shown to leak" in words_of(0.5, 0.5, 0.5)


def test_words_say_which_runs_are_not_shown_to_leak():
    assert "Every run leaks" in words_of(0.55, 0.65, 0.6)
    one = words_of(0.6, 0.65, 0.5)
    assert "pgd leaks most" in one
    assert "No leak is shown for ibp," in one
    assert "No leak is shown for" in (both := words_of(0.5, 0.65, 0.5))
    assert "natural and ibp," in both or "ibp and natural," in both


def test_a_difference_whose_sign_is_not_that_of_all_seeds_is_not_significant():
    table = comparison(0.55, 0.65, 0.55)
    table.loc[table.run == "pgd", "seeds_agree"] = False
    assert "significantly more" not in " ".join(conclusions_text(table))


def test_runs_are_in_the_order_of_their_leakage_and_the_page_has_them():
    table = comparison(0.55, 0.65, 0.58)
    assert conclusions_table(table).run.tolist() == ["pgd", "ibp", "natural"]
    page = first_page("Hello", [table.assign(dataset="digits")])
    assert page.startswith("Hello\n\ndigits\n------\n")
    assert page.index("pgd leaks most") < page.index("=====")
