"""A browser as people have it: this machine's own Chromium, driven by its own driver. Nothing is ever fetched."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = "" if CHROMIUM and DRIVER else "this machine has no Chromium with its driver: apt install chromium-driver"
PATIENCE_S = 20
Found = TypeVar("Found")
DESKTOP, PHONE = (1280, 800), (390, 844)


class Browser:
    """One window, which forgets between tests."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def forget(self) -> None:
        """As if it had been installed just now, in English and light, in a window for a desk."""
        self._tell("Storage.clearDataForOrigin", origin="*", storageTypes="all")
        self.open("about:blank")
        self.size(*DESKTOP)
        self.scripts(on=True)
        self.scheme("light")
        self.complaints()

    def open(self, url: str) -> None:
        """Goes to a page, and returns once it is loaded."""
        self.driver.get(url)

    def size(self, width: int, height: int) -> None:
        """Makes the window so large, as narrow as a phone's if need be."""
        self._tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def scheme(self, name: str) -> None:
        """Prefers light or dark pages."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self._tell("Emulation.setEmulatedMedia", features=features)

    def scripts(self, *, on: bool) -> None:
        """Lets pages run scripts, or none."""
        self._tell("Emulation.setScriptExecutionDisabled", value=not on)

    def press(self, *keys: str) -> None:
        """Presses keys, one after the other."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def turn(self, *keys: str) -> None:
        """Presses keys that lead to another address, and returns there."""
        before = self.driver.current_url
        self.press(*keys)
        self.until(lambda: self.driver.current_url != before, f"another page than {before}")

    def all(self, css: str) -> Sequence[WebElement]:
        """What a selector finds, shown or not."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str) -> WebElement:
        """The first that a selector finds, as soon as it is shown."""
        return self.until(lambda: next((found for found in self.all(css) if found.is_displayed()), None), css)

    def named(self, name: str) -> WebElement:
        """The link or button with this text, as soon as it is shown."""
        path = f"//*[self::a or self::button][normalize-space()='{name}' or starts-with(normalize-space(), '{name} ')]"

        def shown() -> WebElement | None:
            return next((found for found in self.driver.find_elements(By.XPATH, path) if found.is_displayed()), None)

        return self.until(shown, f"a link or a button {name}")

    def text(self) -> str:
        """What is shown of the page's content."""
        return self.one("main").text

    def until(self, look: Callable[[], Found | None], what: str) -> Found:
        """What `look` gives, as soon as that is something."""
        wait = WebDriverWait(self.driver, PATIENCE_S, 0.05, [StaleElementReferenceException])
        found = wait.until(lambda _: look(), f"there should be {what} by now")
        assert found is not None
        return found

    def run(self, script: str) -> Any:  # noqa: ANN401 - whatever the script gives
        """The value of an expression in the page."""
        return self.driver.execute_script(f"return {script}")

    def complaints(self) -> list[str]:
        """What the browser has complained of since it was asked before: errors of scripts, and what was not allowed."""
        log = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in log if entry["source"] != "network"]

    def picture(self) -> bytes:
        """What the window shows, as PNG."""
        return self.driver.get_screenshot_as_png()

    def _tell(self, command: str, **parameters: object) -> None:
        self.driver.execute_cdp_cmd(command, parameters)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a window of its own, until the end of the block."""
    options = Options()
    options.binary_location = CHROMIUM or ""
    options.add_argument("--headless=new")
    options.add_argument("--lang=en")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if os.geteuid() == 0:
        # Chromium's own walls are not for root.
        options.add_argument("--no-sandbox")
    driver = webdriver.Chrome(options, Service(DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
