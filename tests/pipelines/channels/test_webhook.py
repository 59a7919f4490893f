"""A webhook gets the message as signed JSON, with the id by which it knows a repeat."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.channels import webhook
from pipelines.errors import DeliveryError, ServerDown
from pipelines.settings import Channel, Net
from pipelines.sources import _webhook_signature as signature
from tests.pipelines.channels.answering import answering, message
from tests.pipelines.watched import settings

SECRET = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
BLOCK = Channel(name="tickets", kind="webhook", address_env="VIGIE_T", secret_env="VIGIE_S")


def hand_over(url: str, home: Path, calls: list[str], *, secret: str = SECRET) -> None:
    webhook.hand_over(
        message(),
        recipient="tickets",
        settings=settings(home, channels=(BLOCK,), net=Net(allow_private=("127.0.0.1",))),
        secrets={"VIGIE_T": url, "VIGIE_S": secret},
        taken=lambda: calls.append("taken"),
    )


def test_the_message_arrives_signed_with_the_id_of_the_message(tmp_path: Path) -> None:
    calls: list[str] = []
    with answering(204) as (port, posted):
        hand_over(f"http://127.0.0.1:{port}/alerte", tmp_path, calls)
    (one,) = posted
    now = datetime.now(UTC)
    (key,) = signature.secrets_in(SECRET)
    told = signature.checked(
        one.headers, one.body, secrets=[key], now=now, window=timedelta(minutes=5)
    )
    assert told == "m2@valmorin.example"
    found = json.loads(one.body)
    assert found["type"] == "vigie.message"
    assert found["data"] == {
        "subject": "[Vigie] Avertissement · Eau",
        "text": "Bonjour",
        "thread_id": "<m1@valmorin.example>",
    }
    assert calls == ["taken"]


def test_a_refusal_is_told_and_the_message_is_not_taken(tmp_path: Path) -> None:
    calls: list[str] = []
    with answering(403) as (port, _), pytest.raises(DeliveryError, match="403") as caught:
        hand_over(f"http://127.0.0.1:{port}/s3cr3t", tmp_path, calls)
    assert calls == []
    assert "s3cr3t" not in str(caught.value)


def test_a_server_that_is_not_there_is_down(tmp_path: Path) -> None:
    with pytest.raises(ServerDown, match="cannot be reached") as caught:
        hand_over("http://127.0.0.1:9/s3cr3t", tmp_path, [])
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(("secret", "said"), [("", "no secret"), ("court", "24 or more")])
def test_nothing_goes_out_unsigned(tmp_path: Path, secret: str, said: str) -> None:
    with answering() as (port, posted), pytest.raises(DeliveryError, match=said):
        hand_over(f"http://127.0.0.1:{port}/", tmp_path, [], secret=secret)
    assert posted == []
