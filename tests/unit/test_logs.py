"""Log lines as they come out."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest

from redis_sentinel_operator import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The logging of the test run as it was."""
    root = logging.getLogger()
    names = ("kopf", "aiohttp.access", "paramiko")
    before = (root.handlers[:], root.level, [logging.getLogger(name).level for name in names])
    yield
    root.handlers[:], level, levels = before
    root.setLevel(level)
    for name, own in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(own)
    logging.captureWarnings(False)


def configured(form: str, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(form, level, stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_has_the_fields_of_the_caller() -> None:
    stream = configured("json")
    logging.getLogger("redis_sentinel_operator.cluster").info("%s is %s", "a", "b", extra={"woken_by": "resync"})
    (line,) = lines(stream)
    moment = line.pop("time")
    assert moment.endswith("Z") and len(moment) == len("2026-11-22T18:00:00.123Z")
    assert line == {
        "level": "info",
        "logger": "redis_sentinel_operator.cluster",
        "message": "a is b",
        "woken_by": "resync",
    }


def test_a_caller_cannot_replace_what_every_line_has() -> None:
    stream = configured("json")
    logging.getLogger("any").warning("true", extra={"level": "false", "logger": "false"})
    assert lines(stream)[0]["level"] == "warning"


def test_an_exception_stays_one_json_line_and_follows_a_text_line() -> None:
    for form in ("json", "text"):
        stream = configured(form)
        try:
            raise ValueError("broken")
        except ValueError:
            logging.getLogger("any").exception("it failed")
        text = stream.getvalue()
        assert "ValueError: broken" in text
        assert (len(text.splitlines()) == 1) == (form == "json")


def test_the_object_of_a_kopf_record_is_named() -> None:
    stream = configured("json")
    logging.getLogger("kopf.objects").warning("x", extra={"k8s_ref": {"namespace": "redis", "name": "c", "uid": "u"}})
    (line,) = lines(stream)
    assert line["object"] == "redis/c"
    assert "k8s_ref" not in line


@pytest.mark.parametrize(
    ("message", "text"), [("redis/c: all is well", "redis/c: all is well"), ("all is well", "redis/c: all is well")]
)
def test_a_line_bears_the_cluster_that_its_task_works_for(message: str, text: str) -> None:
    for form in ("json", "text"):
        stream = configured(form)
        about = copy_context()
        about.run(logs.about, "redis/c")
        about.run(logging.getLogger("any").info, message, extra={"host": "redis_slave01"})
        logging.getLogger("any").info("of the process")
        one, other = stream.getvalue().splitlines()
        assert other.endswith("INFO     of the process") or "cluster" not in json.loads(other)
        if form == "json":
            assert (json.loads(one)["cluster"], json.loads(one)["host"]) == ("redis/c", "redis_slave01")
        else:
            assert one.endswith(f"INFO     {text} host=redis_slave01")


@pytest.mark.parametrize("form", ["json", "text"])
def test_the_audit_is_one_line_a_change(form: str) -> None:
    stream = configured(form)
    logs.audit("redis/c", "redis_slave01", "start the unit redis", "it is stopped", "Restart", "done")
    sentence = "redis/c: redis_slave01: start the unit redis, because it is stopped (impact: Restart): done"
    if form == "json":
        (line,) = lines(stream)
        del line["time"]
        assert line == {
            "level": "info",
            "logger": "redis_sentinel_operator.audit",
            "message": sentence,
            "cluster": "redis/c",
            "host": "redis_slave01",
            "what": "start the unit redis",
            "why": "it is stopped",
            "impact": "Restart",
            "result": "done",
        }
    else:
        (text,) = stream.getvalue().splitlines()
        assert text.endswith(f"INFO     {sentence}")


def test_chatter_of_libraries_is_left_out_and_a_lost_task_is_not() -> None:
    stream = configured("json")
    for name in ("kopf.objects", "aiohttp.access"):
        logging.getLogger(name).info("chatter")
    logging.getLogger("paramiko.transport").error("chatter")
    logging.getLogger("asyncio").error("Task exception was never retrieved")
    assert [line["message"] for line in lines(stream)] == ["Task exception was never retrieved"]


@pytest.mark.parametrize(
    ("form", "level", "message"), [("xml", "INFO", "LOG_FORMAT='xml'"), ("json", "x", "LOG_LEVEL")]
)
def test_a_wrong_setting_is_named(form: str, level: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        logs.configure(form, level)
