"""``vilax chat --web`` as a user meets it: the command, the page in a browser, Ctrl-C."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.chat.subjects import picture
from tests.training.test_stage import TINY

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
)
TOKENS = 600
DRAWN = ["--max-new-tokens", str(TOKENS), "--temperature", "1", "--seed", "3"]

# Notes the lengths of the newest answer as they change.
WATCH = """
window.lengths = [];
new MutationObserver(() => {
  const answers = document.querySelectorAll('#history [data-testid="bot"]');
  const now = answers.length ? answers[answers.length - 1].innerText.length : 0;
  if (now !== window.lengths.at(-1)) window.lengths.push(now);
}).observe(document.querySelector('#history'),
           {childList: true, subtree: true, characterData: true});
"""


@pytest.fixture(scope="module", autouse=True)
def _browser_is_here() -> None:
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if not lacking:
        return
    reason = f"no {' and '.join(lacking)}: apt-get install chromium chromium-driver"
    if os.environ.get("VILAX_TEST_BROWSER") == "required":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@dataclass
class Served:
    """A page that is served.

    Attributes:
        process: the command.
        url: what it printed.
        stderr: what it says.
        temporary: where it keeps temporary files.
        model: what it was asked for.
        environment: of the command.
    """

    process: subprocess.Popen[str]
    url: str
    stderr: Path
    temporary: Path
    model: str
    environment: dict[str, str]


@contextlib.contextmanager
def serving(folders: pytest.TempPathFactory, rate: float) -> Iterator[Served]:
    """The page of a model whose LLM was trained a few steps at a rate."""
    outputs, temporary = folders.mktemp("outputs"), folders.mktemp("tmp")
    environment = os.environ | {"VILAX_OUTPUTS": str(outputs), "TMPDIR": str(temporary)}
    vilax = [sys.executable, "-m", "vilax.cli.main"]
    words = ["llm.max_position_embeddings=2048", "until=align", "logger=disabled"]
    words += [f"stages.text.rates.llm={rate}", "stages.align.rates.projector=0.3"]
    done = subprocess.run(
        [*vilax, "train", *TINY, *words], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    model = done.stdout.split()[-1]
    stderr = outputs / "stderr"
    with stderr.open("w") as said:
        process = subprocess.Popen(
            [*vilax, "chat", model, "--template", "qa", "--web", *DRAWN],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:"), stderr.read_text()
    try:
        yield Served(process, url, stderr, temporary, model, environment)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """At a rate so high that the weights, and so the answers, depend on what is asked."""
    with serving(tmp_path_factory, 0.1) as page:
        yield page


@pytest.fixture(scope="module")
def lengthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Any token is about as likely as another, the one that ends an answer too: once in 1,000."""
    with serving(tmp_path_factory, 0.001) as page:
        yield page


class Page:
    """The page in a browser, and what a user does with it."""

    def __init__(self, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS.split(), f"--user-data-dir={profile}", "--window-size=1280,1400"):
            options.add_argument(flag)
        options.binary_location = str(shutil.which("chromium"))
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        service = Service(str(shutil.which("chromedriver")))
        self.driver = webdriver.Chrome(options=options, service=service)

    def open(self, url: str) -> None:
        self.driver.get(url)
        self.until(lambda: "None yet" in self.text("#side"))

    def until(self, true: Callable[[], Any]) -> Any:
        return WebDriverWait(self.driver, 60, 0.05, [Exception]).until(lambda _: true())

    def all(self, where: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, where)

    def one(self, where: str) -> WebElement:
        return self.all(where)[0]

    def text(self, where: str) -> str:
        return self.one(where).text

    def upload(self, box: str, *paths: Path) -> None:
        chosen = self.one(f"{box} input[type=file]")
        # The driver would add to what was chosen before.
        self.driver.execute_script("arguments[0].value = ''", chosen)
        chosen.send_keys("\n".join(map(str, paths)))
        self.until(lambda: len(self.all(f"{box} .thumbnail-item")) == len(paths))

    def click(self, where: str, label: str = "") -> None:
        # Gradio draws its buttons anew when it likes: one found may be gone when it is clicked.
        for _ in range(20):
            with contextlib.suppress(StaleElementReferenceException):
                button = next(one for one in self.all(where) if label in one.text)
                self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
                button.click()
                return
        pytest.fail(f"{where} {label} is drawn anew again and again")

    def type(self, box: str, text: str) -> None:
        self.one(f"{box} textarea").send_keys(text)

    def send(self, text: str) -> None:
        self.type("#question", text + Keys.ENTER)

    def fill(self, box: str, number: int) -> None:
        self.one(f"{box} input").send_keys(Keys.CONTROL + "a" + Keys.NULL + f"{number}" + Keys.TAB)

    def ask(self, text: str) -> str:
        """The answer to a question, once it is whole."""
        before = len(self.answers())
        self.send(text)
        self.until(lambda: len(self.answers()) > before)
        self.until(lambda: self.all("#question .submit-button"))
        return self.answers()[-1]

    def interrupt(self, act: Callable[[], Any]) -> None:
        """Ask until an answer is being written, then act.

        One answer may be empty, or end before a button is met: other draws may be longer.
        """
        for seed in range(3, 15):
            self.click("#clear")
            self.until(lambda: not self.answers() and not self.prompt())
            self.fill("#seed", seed)
            self.send("what is this ?")
            self.until(self.answers)
            self.until(lambda: self.answers()[-1] or self.all("#question .submit-button"))
            if self.all("#question .stop-button"):
                with contextlib.suppress(StopIteration, WebDriverException):
                    act()
                    return
        pytest.fail("no answer was long enough to be stopped")

    def add_example(self, question: str, answer: str) -> None:
        """Put an example, with the pictures that lie in its box, behind the others."""
        before = len(self.all(".example"))
        self.type("#shot", question)
        self.type("#shot-answer", answer)
        self.click("#add")
        self.until(lambda: len(self.all(".example")) == before + 1)

    def answers(self) -> list[str]:
        return [one.text for one in self.all('#history [data-testid="bot"]')]

    def prompt(self) -> str:
        return str(self.one("#prompt textarea").get_attribute("value"))

    def hosts(self) -> set[str]:
        """Whom the page has asked for anything since it was last asked."""
        events = [json.loads(entry["message"]) for entry in self.driver.get_log("performance")]
        sent = [e["message"] for e in events if "requestWillBeSent" in e["message"]["method"]]
        urls = [one["params"]["request"]["url"] for one in sent if "request" in one["params"]]
        return {url.split("/")[2] for url in urls if url.startswith(("http", "ws"))}


@pytest.fixture(scope="module")
def page(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    page = Page(tmp_path_factory.mktemp("profile"))
    page.open(served.url)
    yield page
    page.driver.quit()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    return [picture(folder / f"{level}.png", level) for level in (20, 120, 240)]


def in_terminal(served: Served, *lines: str) -> list[str]:
    command = [sys.executable, "-m", "vilax.cli.main", "chat", served.model, "--template", "qa"]
    done = subprocess.run(
        [*command, *DRAWN],
        env=served.environment,
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.strip() for line in done.stdout.splitlines()]


def test_the_page_answers_as_the_terminal_does(
    served: Served, page: Page, pictures: list[Path]
) -> None:
    one, two, three = pictures
    said = in_terminal(
        served,
        f"[{one}] [{two}] what is this ?",
        f"/shot [{three}] what is yellow ? => lemon",
        "/shot what is green ? => kiwi",
        f"[{two}] and this ?",
        "/reset",
        "and this ?",
        "/clear",
        "and this ?",
    )
    assert len(said) == 4 and len(set(said)) == 4, "what stands before does not matter to the model"

    page.upload("#question", one, two)
    page.driver.execute_script(WATCH)
    assert page.ask("what is this ?") == said[0]
    lengths = page.driver.execute_script("return window.lengths")
    # How often a busy machine's browser looks is open; that it saw a part of the answer is not.
    assert any(0 < length < len(said[0]) for length in lengths), f"not bit by bit: {lengths}"
    shown = [one.get_attribute("alt") for one in page.all("#history img")]
    assert shown == [f"Picture {number} of the conversation" for number in (1, 2)]
    assert page.prompt().startswith("[picture 1: 4 visual tokens][picture 2: 4 visual tokens]")
    assert page.prompt().endswith("what is this ? answer :")
    assert "8 of them visual (2 pictures), the LLM's context has 2,048" in page.text("#prompt")

    # Examples stand before the conversation that there is; they are put the wrong way round.
    page.add_example("what is green ?", "kiwi")
    page.upload("#shot", three)
    page.add_example("what is yellow ?", "lemon")
    assert "kiwi" in page.all(".example")[0].text
    page.click("button", "Move down")
    page.until(lambda: "lemon" in page.all(".example")[0].text)
    assert len(page.all(".example img")) == 1
    page.upload("#question", two)
    assert page.ask("and this ?") == said[1]
    assert page.prompt().count("visual tokens]") == 4
    places = [page.prompt().index(one) for one in ("lemon", "kiwi", "what is this", "and this")]
    assert places == sorted(places)

    page.click("#clear")
    page.until(lambda: not page.answers() and not page.prompt())
    assert page.ask("and this ?") == said[2]

    for left in (1, 0):
        page.click("button", "Remove")
        page.until(lambda left=left: len(page.all(".example")) == left)
    page.click("#history button[aria-label=Clear]")
    page.until(lambda: not page.answers() and not page.prompt())
    assert page.ask("and this ?") == said[3]
    assert page.prompt() == "question : and this ? answer :"


def test_what_goes_wrong_is_said_on_the_page(page: Page, served: Served, tmp_path: Path) -> None:
    page.open(served.url)
    broken = tmp_path / "broken.png"
    broken.write_text("no picture at all")
    page.upload("#question", broken)
    page.send("what is this ?")
    page.until(lambda: "broken.png: cannot be decoded" in page.text("[role=alert]"))
    assert not page.answers()

    page.open(served.url)
    page.fill("#most", 5000)
    page.send("what is this ?")
    page.until(lambda: "the LLM's context has 2,048" in page.text("[role=alert]"))
    assert "answer up to 5,000" in page.text("[role=alert]")
    # The question is still there, and goes through with a value that fits.
    page.fill("#most", 5)
    assert len(page.ask("").split()) <= 5
    assert not page.all("[role=alert]")


def test_an_answer_can_be_stopped_and_another_asked(page: Page, lengthy: Served) -> None:
    page.open(lengthy.url)
    page.fill("#most", 2000)
    page.interrupt(lambda: page.click("#question .stop-button"))
    page.until(lambda: page.all("#question .submit-button"))
    stopped = page.answers()[-1]
    assert 0 < len(stopped.split()) < 1500
    page.fill("#most", 5)
    page.ask("and this ?")
    assert page.answers()[-2] == stopped


def test_only_this_machine_is_served_and_asked(page: Page, served: Served, lengthy: Served) -> None:
    listening = [
        one.laddr
        for one in psutil.Process(served.process.pid).net_connections()
        if one.status == psutil.CONN_LISTEN
    ]
    assert [f"http://{one.ip}:{one.port}/" for one in listening] == [served.url]
    page.open(served.url)
    page.open(lengthy.url)
    assert page.hosts() == {url.split("/")[2] for url in (served.url, lengthy.url)}
    elsewhere = urllib.request.Request(served.url, headers={"Host": "elsewhere.example"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(elsewhere)


def test_a_file_beyond_the_limit_of_training_is_refused(served: Served) -> None:
    from vilax.data.convert.records import PICTURE_BYTES

    config = json.load(urllib.request.urlopen(f"{served.url}config"))
    assert config["max_file_size"] == PICTURE_BYTES
    assert config["analytics_enabled"] is False


def test_ctrl_c_ends_it_while_it_answers(page: Page, lengthy: Served, pictures: list[Path]) -> None:
    page.open(lengthy.url)
    page.upload("#question", pictures[0])
    assert list(lengthy.temporary.iterdir()), "uploads lie elsewhere"
    page.interrupt(lambda: lengthy.process.send_signal(signal.SIGINT))
    start = time.monotonic()
    assert lengthy.process.wait(30) == 0
    assert time.monotonic() - start < 20
    shown = lengthy.stderr.read_text()
    assert "Ctrl-C" in shown and "Traceback" not in shown
    assert not list(lengthy.temporary.glob("vilax-chat-*"))
