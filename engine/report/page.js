"use strict";
(() => {
  const one = (name, root = document) => root.querySelector(name);
  const all = (name, root = document) => [...root.querySelectorAll(name)];

  // ---- command
  const copy = one("#copy"), command = one("#command");
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.textContent);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(command);
      const chosen = getSelection();
      chosen.removeAllRanges();
      chosen.addRange(range);
      document.execCommand("copy");
    }
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });

  // ---- one chart at a time
  const pick = one("#pick"), charted = all(".charted");
  const show = (id) => {
    for (const each of charted) each.hidden = each.id !== id;
    if (pick) pick.value = id;
  };
  const follow = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    const chart = target && target.closest(".charted");
    if (chart) {
      show(chart.id);
      target.scrollIntoView();
    }
  };
  if (pick) {
    one(".picker").hidden = charted.length < 2;
    pick.addEventListener("change", () => show(pick.value));
    if (charted.length) show(pick.value);
    addEventListener("hashchange", follow);
    follow();
  }

  // ---- what is under the pointer
  const tip = document.createElement("div");
  tip.className = "tooltip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  document.body.append(tip);
  addEventListener("pointerover", (event) => {
    const mark = event.target.closest && event.target.closest(".tip");
    const text = mark && one("desc", mark);
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text.textContent;
    const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - tip.offsetWidth - 8);
    const above = event.clientY + 18 + tip.offsetHeight > innerHeight;
    tip.style.left = `${Math.max(8, left) + scrollX}px`;
    tip.style.top = `${(above ? event.clientY - tip.offsetHeight - 12 : event.clientY + 18) + scrollY}px`;
  });

  // ---- figures
  const stamp = (seconds) => {
    const text = new Date(seconds * 1000).toISOString();
    return text.slice(11, 19) === "00:00:00" ? text.slice(0, 10) : text.slice(0, 16).replace("T", " ");
  };
  for (const figure of all("figure.chart")) {
    const svg = one("svg", figure), veil = one(".veil", svg);
    const controls = one(".controls", figure), readout = one("output", figure), slider = one("input", figure);
    const marks = all("[data-k]", svg).map((mark) => [mark, Number(mark.dataset.k)]);
    const left = Number(svg.dataset.left), step = Number(svg.dataset.step);
    let read = null;
    const data = () => (read ??= JSON.parse(one("script", figure).textContent));
    const tell = (place) => {
      const { t, p, v, d } = data();
      const [o, h, l, c] = p.map((column) => column[place].toLocaleString("en", { maximumFractionDigits: d }));
      const volume = v[place].toLocaleString("en", { notation: "compact", maximumSignificantDigits: 4 });
      readout.textContent = `${stamp(t[place])}  O ${o}  H ${h}  L ${l}  C ${c}  V ${volume}`;
    };
    controls.hidden = false;
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      const place = Math.floor((x - left) / step);
      if (place >= 0 && place < data().t.length) tell(place);
    });
    slider.addEventListener("input", () => {
      const known = Number(slider.value), last = Number(slider.max);
      const x = left + (known + 1) * step;
      veil.setAttribute("x", x);
      veil.setAttribute("width", known < last ? left + (last + 1) * step - x + 6 : 0);
      for (const [mark, place] of marks) mark.classList.toggle("unknown", place > known);
      tell(known);
    });
    svg.addEventListener("pointerenter", () => { if (!readout.textContent) tell(data().t.length - 1); });
  }
  document.documentElement.classList.add("ready");
})();
