"use strict";
(() => {
  const said = document.getElementById("said");

  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copied(document.getElementById(button.dataset.copy).textContent);
      button.focus();
      said.textContent = "";
      said.textContent = done ? `${button.dataset.what} copied` : "could not copy";
      const label = button.textContent;
      button.textContent = done ? "copied" : "could not copy";
      setTimeout(() => { button.textContent = label; }, 1200);
    });
  }

  const seconds = Number(document.body.dataset.refresh || 0);
  const pause = document.getElementById("pause");
  if (seconds && pause) {
    const remember = (value) => {
      try { sessionStorage.setItem("paused", value); } catch { /* files may have no storage */ }
    };
    let paused = false;
    try { paused = sessionStorage.getItem("paused") === "yes"; } catch { /* see above */ }
    const show = () => {
      pause.hidden = false;
      pause.textContent = paused ? "Refresh again" : "Stop refreshing";
    };
    pause.addEventListener("click", () => {
      paused = !paused;
      remember(paused ? "yes" : "no");
      show();
    });
    show();
    setInterval(() => {
      const busy = !getSelection().isCollapsed || document.querySelector("details[open]");
      if (!paused && !busy) location.reload();
    }, 1000 * seconds);
  }
})();
