"""What a training would be stands beside the form; what to mind has a button that fixes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from backend.workspace import Workspace
from tests.browser.conftest import Open
from tests.browser.person import Person
from tests.fakes.prepared_datasets import put_prepared, record
from tests.fakes.server import Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    workspace = Workspace.open(tmp_path_factory.mktemp("plan") / "workspace")
    put_prepared(workspace, "notes", [record(number) for number in range(24)])
    with serving(["-m", "tests.fakes.training_app", workspace.root]) as one:
        yield one


def test_a_warning_is_fixed_by_its_button_and_the_estimate_follows(
    open_page: Open, server: Server
) -> None:
    me = Person(open_page(server.address).page)
    me.arrives()
    me.goes_to("hyperparameters")
    plan = me.sees("plan")
    figures = plan.locator(".mt-plan")
    expect(plan).to_contain_text("Nothing stands out.")
    before = int(figures.get_attribute("data-memory") or 0)
    assert before > 1_000_000_000

    me.types("field-per_device_train_batch_size", "64")
    warning = plan.locator("[data-kind=batch]")
    expect(warning).to_contain_text("One step wants 64 rows, and an epoch has 24")
    expect(figures).not_to_have_attribute("data-memory", str(before))
    plan.locator("summary").click()
    expect(plan.locator("details")).to_contain_text("logits")

    warning.get_by_role("button").click()
    expect(warning).to_have_count(0)
    expect(me.sees("field-per_device_train_batch_size").locator("input")).to_have_value("6")
    expect(me.sees("config-yaml")).to_contain_text("per_device_train_batch_size: 6")
    expect(plan.locator("details")).to_have_attribute("open", "")
    assert int(figures.get_attribute("data-memory") or 0) < before

    # What the button did is kept in the browser as what is typed is.
    me.page.reload()
    me.arrives()
    me.goes_to("hyperparameters")
    expect(me.sees("field-per_device_train_batch_size").locator("input")).to_have_value("6")
