"""A reader study loses no answer, tells no case's name, and sums up what readers said."""

import csv
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import httpx
import pytest
from playwright.sync_api import Error as PlaywrightError

from hirescam.errors import ReadError
from hirescam.viewer.cases import read_cases
from hirescam.viewer.study import kappa, read_answers, read_study, study_results
from make_shown import Shown
from make_viewed import LABELS, write_case

PLAN = """
title = "Where does it look?"
seed = 3
top = 2
[[questions]]
id = "place"
text = "Is this the right place?"
choices = ["yes", "partly", "no"]
[[questions]]
id = "instead"
text = "Where instead?"
point = true
"""
CASES = 10


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    for number in range(CASES):
        write_case(folder / f"patient-{number}", scale=0.3 + 0.1 * number)
    return folder


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(PLAN)
    return path


@contextmanager
def asking(cohort, plan, reader):
    command = [
        *(sys.executable, "-m", "hirescam", "view", str(cohort), "--no-browser"),
        *("--study", str(plan), "--reader", reader),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server, server.stdout.readline().strip()
        finally:
            server.kill()


def answers(path):
    return read_answers(path.parent / "answers.csv")


def test_a_study_killed_half_way_is_resumed_with_every_answer(
    browser, needs_script, cohort, plan
):
    wanted = CASES * 2 * 2
    shown = None
    with asking(cohort, plan, "ann") as (server, address):
        shown = Shown(browser, address)
        assert "patient" not in shown.page.inner_text("body")
        while len(answers(plan)) < wanted // 2:
            one_answer(shown, plan)
        server.send_signal(signal.SIGKILL)
        server.wait()
    shown.page.close()
    kept = answers(plan)
    assert len(kept) == wanted // 2
    file = plan.parent / "answers.csv"
    file.write_text(file.read_text() + "2026-01-01T00:00,ann,patient-1,lu")  # torn by a crash
    with asking(cohort, plan, "ann") as (_, address):
        shown = Shown(browser, address)
        while len(answers(plan)) < wanted:
            one_answer(shown, plan)
        assert f"{wanted} of {wanted}" in shown.page.inner_text("#study-progress")
        shown.page.close()
    rows = answers(plan)
    assert rows[: len(kept)] == kept
    seen = {(row["case"], row["finding"], row["question"]) for row in rows}
    assert len(seen) == wanted
    assert {row["case"] for row in rows} == {f"patient-{number}" for number in range(CASES)}
    with file.open(newline="") as text:
        assert sum(1 for _ in csv.reader(text)) == wanted + 1


def one_answer(shown, plan):
    """By keyboard alone: the first choice, or the crosshair; a page that reloads hears none."""
    before, end = len(answers(plan)), time.monotonic() + 60
    while len(answers(plan)) == before:
        assert time.monotonic() < end, "no answer arrived in 60 s"
        shown.ready()
        with suppress(PlaywrightError):  # it is just being loaded
            name = shown.page.get_attribute(
                "#study fieldset.next", "data-question", timeout=5000
            )
            shown.page.keyboard.press("1" if name == "place" else "Enter")
            shown.page.wait_for_timeout(400)


def test_the_order_is_blinded_and_another_for_each_reader(cohort, plan):
    cases = read_cases(cohort)
    orders = [
        [case.name for case in read_study(plan, cases, reader).cases]
        for reader in ("ann", "bob", "ann")
    ]
    assert orders[0] == orders[2] != orders[1]
    told = read_study(plan, cases, "ann").told()
    assert "patient" not in str(told)
    assert all(len(labels) == 2 for labels in told["findings"].values())


@pytest.mark.parametrize(
    "change",
    [
        {"case": "patient-0"},
        {"finding": "nonsense"},
        {"question": "other"},
        {"answer": "maybe"},
        {"answer": "=cmd()"},
        {"question": "instead", "answer": "1 2"},
        {"question": "instead", "answer": "1 2 nan"},
        {"seconds": -1},
        {"seconds": "x"},
    ],
)
def test_what_is_no_answer_is_refused_and_not_written(cohort, plan, change):
    study = read_study(plan, read_cases(cohort), "ann")
    case = study.names[0]
    whole = {
        "case": case,
        "finding": study.findings[case][0],
        "question": "place",
        "answer": "yes",
        "seconds": 2.5,
    }
    with pytest.raises(ReadError):
        study.keep(whole | change)
    assert not study.path.exists()
    study.keep(whole)
    assert read_answers(study.path)[0]["answer"] == "yes"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x = 1",
        "[[questions]]\nid='a'\ntext='b'",
        "[[questions]]\nid='a b'\ntext='c'\npoint=true",
    ],
)
def test_a_plan_that_is_none_is_refused(cohort, tmp_path, wrong):
    path = tmp_path / "study.toml"
    path.write_text(wrong)
    with pytest.raises(ReadError, match="is no study"):
        read_study(path, read_cases(cohort), "ann")


def test_only_answers_may_be_sent_and_only_in_a_study(cohort, plan, needs_script):
    good = {"content-type": "application/json"}
    with asking(cohort, plan, "ann") as (_, address):
        told = httpx.get(f"{address}study.json").json()
        case = next(iter(told["findings"]))
        answer = {
            "case": case,
            "finding": told["findings"][case][0],
            "question": "place",
            "answer": "no",
            "seconds": 1,
        }
        assert httpx.post(f"{address}answer", json=answer).status_code == 204
        assert (
            httpx.post(f"{address}answer", content=b"[" * 4000, headers=good).status_code == 400
        )
        assert (
            httpx.post(f"{address}answer", content=b"x" * 9000, headers=good).status_code == 413
        )
        assert httpx.post(f"{address}answer", data={"a": "b"}).status_code == 413
        assert httpx.post(f"{address}study.json", json=answer).status_code == 405
        base = address.rstrip("/").rpartition("/")[0]
        assert httpx.post(f"{base}/wrong/answer", json=answer).status_code == 403
        evil = good | {"origin": "http://evil.example"}
        assert httpx.post(f"{address}answer", json=answer, headers=evil).status_code == 403
    assert len(answers(plan)) == 1


def test_agreement_is_cohens_kappa():
    one = dict(enumerate("yyyynnnnyn"))
    other = dict(enumerate("yyynnnnyyn"))
    from sklearn.metrics import cohen_kappa_score

    expected = cohen_kappa_score(list(one.values()), list(other.values()))
    assert kappa(one, other) == pytest.approx(expected)
    assert kappa(one, {}) is None
    assert kappa({1: "y"}, {1: "y"}) is None


def test_results_tell_counts_times_and_agreement(cohort, plan, capsys):
    for reader, said in (("ann", "yes"), ("bob", "no")):
        study = read_study(plan, read_cases(cohort), reader)
        for number, name in enumerate(study.names):
            given = "yes" if number % 2 else said
            one = {"case": name, "finding": study.findings[name][0], "question": "place"}
            study.keep(one | {"answer": given, "seconds": 4})
    told = study_results([plan.parent / "answers.csv"])
    assert told["readers"] == ["ann", "bob"]
    assert told["answers"] == 2 * CASES
    assert told["seconds_per_case"] == {"ann": 4.0, "bob": 4.0}
    assert told["questions"]["place"]["counts"]["ann"] == {"yes": CASES}
    with pytest.raises(ReadError, match="no answer"):
        study_results([plan.parent / "absent.csv"])
    from hirescam.cli.main import main

    with pytest.raises(SystemExit):
        main(["study", "results", str(plan.parent / "answers.csv")])
    assert "kappa" in capsys.readouterr().out
    assert LABELS
