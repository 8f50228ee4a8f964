"""The browser fixture drives a real chromium."""

import pytest


@pytest.mark.browser
def test_a_page_runs_its_script(browser):
    page = browser.new_page()
    page.set_content("<p id=x></p><script>document.getElementById('x').textContent = 6 * 7</script>")
    assert page.inner_text("#x") == "42"
    page.close()
