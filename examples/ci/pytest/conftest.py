"""The sandbox for tests that are started by `yufu run -- pytest`."""
import os
import uuid

import pytest
import requests


class Sandbox:
    """What a test may tell the sandbox."""

    def __init__(self):
        self.url = os.environ["YUFU_SANDBOX"] + "/_sandbox"
        self.http = requests.Session()
        # Not by the proxy: the sandbox is on this machine.
        self.http.trust_env = False
        self.http.headers["Authorization"] = "Bearer " + os.environ["YUFU_SANDBOX_TOKEN"]

    def call(self, method, path, **body):
        answer = self.http.request(method, self.url + path, json=body or None, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def authorize(self, url, person="mei", decision="allow"):
        """The person answers this authorize address; the address that the browser goes to."""
        return self.call("POST", "/authorize", url=url, person=person, decision=decision).get("callback")


@pytest.fixture(scope="session")
def sandbox():
    return Sandbox()


@pytest.fixture
def person(sandbox):
    """Somebody whom no other test knows, so that tests may run beside each other."""
    name = "p" + uuid.uuid4().hex[:12]
    sandbox.call("POST", "/people", name=name, nickname="测试 " + name)
    return name
