from urllib.parse import urlsplit

import pytest
from app import app


@pytest.fixture
def browser():
    return app.test_client()


def callback_of(sandbox, login, **who):
    callback = urlsplit(sandbox.authorize(login.headers["Location"], **who))
    return f"{callback.path}?{callback.query}"


def test_a_new_person_logs_in(sandbox, person, browser):
    back = browser.get(callback_of(sandbox, browser.get("/login"), person=person))
    assert back.status_code == 302
    assert person in browser.get("/").text


def test_a_code_works_once(sandbox, person, browser):
    callback = callback_of(sandbox, browser.get("/login"), person=person)
    assert browser.get(callback).status_code == 302
    assert browser.get(callback).status_code == 400


def test_the_platform_is_busy(sandbox, person, browser):
    callback = callback_of(sandbox, browser.get("/login"), person=person)
    fault = sandbox.call("POST", "/faults", kind="errcode", code=-1, person=person, endpoint="access_token", times=1)
    answer = browser.get(callback)
    assert (answer.status_code, person in browser.get("/").text) == (502, False), fault
