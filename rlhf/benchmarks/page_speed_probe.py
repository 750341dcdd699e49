"""What runs inside a page to time it: when a test of what is on the screen first holds in a painted frame."""

from typing import Any

PROBE = """
(() => {
  const inView = (selector) =>
    [...document.querySelectorAll(selector)].filter((element) => {
      const { width, height, top, bottom } = element.getBoundingClientRect();
      return width > 0 && height > 0 && top < innerHeight && bottom > 0;
    });
  const has = (one) => one.querySelector("canvas, svg.marks");
  const words = {
    seen: (selector, text = "") => inView(selector).some((one) => one.textContent.includes(text)),
    there: (selector) => !!document.querySelector(selector),
    count: (selector) => inView(selector).length,
    text: (selector) => document.querySelector(selector)?.textContent ?? "",
    value: (selector, name) => document.querySelector(selector)?.getAttribute(name) ?? "",
    at: (page) => location.pathname.endsWith(page),
    // Nothing in view that only keeps a place: no skeleton, no chart, table or picture without its content.
    filled: () =>
      !inView("[data-testid=stSkeleton], [data-testid=stElementContainer][data-stale=true]").length &&
      inView("[data-testid=stVegaLiteChart], [data-testid=stDataFrame]").every((one) => has(one)) &&
      inView("[data-testid=stMain] img[src]").every((one) => one.complete),
  };
  const compile = (test) => {
    const run = new Function(...Object.keys(words), `return ${test}`);
    return Object.assign(() => run(...Object.values(words)), { words: test });
  };
  // Messages come after the frame whose callbacks found the test true: it is on the screen by then.
  const painted = (test) =>
    new Promise((resolve, reject) => {
      const deadline = performance.now() + 30_000;
      const look = () => {
        if (performance.now() > deadline) return reject(new Error(`not within 30 s: ${test.words}`));
        if (!test()) return requestAnimationFrame(look);
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve(performance.now());
        port2.postMessage(null);
      };
      requestAnimationFrame(look);
    });
  window.pageSpeed = {
    ask: (test) => compile(test)(),
    painted: (test) => painted(compile(test)),
    arm: (type, tests) => {
      window.pageSpeedAct = new Promise((resolve, reject) => {
        const begin = ({ timeStamp }) => {
          const all = tests.map((test) => painted(compile(test)).then((now) => now - timeStamp));
          Promise.all(all).then(resolve, reject);
        };
        addEventListener(type, begin, { capture: true, once: true });
      });
    },
  };
})();
"""
"""Adds ``window.pageSpeed``. Tests are expressions in the words above; ``seen`` and ``count`` look at what is
in the window, not at what one has to scroll to."""


def since_navigation(page: Any, *tests: str) -> list[float]:
    """Return the milliseconds from a page's navigation to the first painted frame in which a test holds."""
    found: list[float] = page.evaluate("(tests) => Promise.all(tests.map(pageSpeed.painted))", list(tests))
    return found


def ask(page: Any, question: str) -> Any:
    """Return what an expression in the words of the probe says of a page."""
    return page.evaluate("(question) => pageSpeed.ask(question)", question)


def arm(page: Any, event: str, *tests: str) -> None:
    """Have the next event of this kind start measurements that end once a test holds in a frame."""
    page.evaluate("([event, tests]) => pageSpeed.arm(event, tests)", [event, list(tests)])


def since_event(page: Any) -> list[float]:
    """Return what ``arm`` measured, in milliseconds, once it is known."""
    found: list[float] = page.evaluate("pageSpeedAct")
    return found
