"""The board in Airflow's web server: Airflow loads the plugin, mounts it, and lists its link."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pipelines import init, orchestrator

SCRIPT = """
import json, os, sys
from fastapi import FastAPI
from starlette.testclient import TestClient
from airflow import plugins_manager
from airflow.api_fastapi.app import init_plugins

app = FastAPI()
init_plugins(app)
errors = plugins_manager.get_import_errors()
[info] = [p for p in plugins_manager.get_plugin_info() if p["name"] == "vigie_board"]
client = TestClient(app, follow_redirects=False)
page = client.get("/vigie/login")
json.dump({
    "errors": errors,
    "views": info["external_views"],
    "first": [client.get("/vigie/").status_code, client.get("/vigie/").headers.get("location")],
    "page": page.text,
    "cookie": page.headers.get("set-cookie"),
}, sys.stdout)
"""


def test_airflow_mounts_the_board_and_lists_it(tmp_path: Path) -> None:
    init.write(tmp_path, answers={"name": "Valmorin", "kind": "commune"})
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
