"""The board in Airflow's web server: Airflow loads the plugin, mounts it, and lists its link."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pipelines import init, orchestrator

SCRIPT = """
import asyncio, json, os, sys
from fastapi import FastAPI
from starlette.testclient import TestClient
from airflow import plugins_manager
from airflow.api_fastapi.app import init_plugins

async def ask(app, scope):
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        pass
    await app(scope, receive, send)

app = FastAPI()
init_plugins(app)
errors = plugins_manager.get_import_errors()
[info] = [p for p in plugins_manager.get_plugin_info() if p["name"] == "vigie_board"]
client = TestClient(app, follow_redirects=False)
page = client.get("/vigie/login")
scope = {"type": "http", "method": "GET", "path": "/vigie/login", "query_string": b"q=secret",
         "headers": [], "scheme": "http", "server": ("testserver", 80), "http_version": "1.1"}
asyncio.run(ask(app, scope))
json.dump({
    "errors": errors,
    "views": info["external_views"],
    "first": [client.get("/vigie/").status_code, client.get("/vigie/").headers.get("location")],
    "page": page.text,
    "logged": scope["query_string"].decode(),
    "cookie": page.headers.get("set-cookie"),
}, sys.stdout)
"""


def test_airflow_mounts_the_board_and_lists_it(tmp_path: Path) -> None:
    init.write(tmp_path, answers={"name": "Valmorin", "kind": "commune"})
    toml = tmp_path / "vigie.toml"
    told = toml.read_text(encoding="utf-8")
    web = '[web]\nurl = "https://vigie.ville.example"\n'
    toml.write_text(told.replace("[web]\n", web), encoding="utf-8")
    environ = orchestrator.environment(tmp_path, {"PATH": "/usr/bin:/bin"})
    environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["errors"] == {}
    assert [(v["name"], v["href"]) for v in found["views"]] == [("Vigie", "/vigie/")]
    assert found["first"] == [303, "/vigie/login"]
    assert 'action="/vigie/login"' in found["page"]
    assert "Path=/vigie" in found["cookie"]
    assert "Secure" not in found["cookie"]  # Airflow is reached by http, whatever `[web] url` is
    assert found["logged"] == ""
