"use strict";
// Pictures come drawn from the server; Vega takes over when a pointer or the keyboard reaches one.
(() => {
  document.documentElement.classList.add("js");
  const nav = document.querySelector(".side nav");
  const here = nav?.querySelector("[aria-current]");
  if (here) nav.scrollLeft = here.offsetLeft - 16;
  let vega = null;
  const load = () => {
    vega = vega || new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = "/static/vega.js";
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    return vega;
  };
  const mode = () => {
    const theme = document.documentElement.dataset.theme;
    return theme === "system" ? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") : theme;
  };
  const draw = async (figure) => {
    if (figure.dataset.drawn) return;
    figure.dataset.drawn = "asked";
    const place = figure.querySelector(".drawn");
    const size = innerWidth <= 640 ? "narrow" : innerWidth <= 1180 ? "normal" : figure.dataset.size;
    const address = new URL(figure.dataset.chart, location.href);
    address.searchParams.set("mode", mode());
    address.searchParams.set("size", size);
    try {
      const [answer] = await Promise.all([fetch(address), load()]);
      if (!answer.ok) throw new Error(answer.statusText);
      const chart = await answer.json();
      const canvas = document.createElement("div");
      await window.vegaEmbed(canvas, chart, {
        mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false,
        tooltip: { theme: mode(), disableDefaultStyle: true },
      });
      place.replaceChildren(canvas);
      figure.dataset.drawn = "yes";
    } catch (error) {
      figure.dataset.drawn = "no"; // the picture from the server stays
    }
  };
  const reached = (event) => {
    const figure = event.target instanceof Element && event.target.closest("[data-chart]");
    if (figure) draw(figure);
  };
  document.addEventListener("pointerover", reached);
  document.addEventListener("focusin", reached);
  // The box that asks and searches is reached from everywhere, and stays where something is written.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea")) return;
    event.preventDefault();
    document.getElementById("ask")?.select();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.activeElement?.closest(".card")?.classList.add("quiet");
  });
  document.addEventListener("focusout", (event) => event.target.closest?.(".card")?.classList.remove("quiet"));
  // A choice asks at once. A day that is typed asks when the focus leaves the days: parts of it are days too.
  let typing = null, owed = null;
  const chooser = (target) => (target instanceof Element ? target.closest("form[data-choose]") : null);
  const day = (target) => target instanceof HTMLInputElement && target.type === "date" && chooser(target) !== null;
  document.addEventListener("keydown", (event) => {
    if (day(event.target) && event.key !== "Tab") typing = event.key === "Enter" ? null : event.target.form;
  });
  document.addEventListener("change", (event) => {
    const form = chooser(event.target);
    if (form && (event.target.matches("select") || (day(event.target) && typing !== form))) form.requestSubmit();
  });
  document.addEventListener("focusout", (event) => {
    const form = typing;
    if (!form || event.target.form !== form || (day(event.relatedTarget) && event.relatedTarget.form === form)) return;
    const days = [...form.querySelectorAll("input[type=date]")];
    if (form.isConnected && (owed === form || days.some((one) => one.value !== one.defaultValue))) form.requestSubmit();
    typing = owed = null;
  });
  // A slider over days says the day while it moves, and asks when it is let go.
  const slid = (event) => (event.target instanceof HTMLInputElement && event.target.dataset.slides ? event.target : null);
  document.addEventListener("input", (event) => {
    const slider = slid(event);
    if (!slider) return;
    const said = new Date((slider.value - slider.dataset.epoch) * 864e5).toISOString().slice(0, 10);
    slider.ariaValueText = said;
    slider.parentElement.querySelector("output").value = said;
    document.getElementById(slider.dataset.slides).value = said;
  });
  document.addEventListener("change", (event) => {
    const slider = slid(event);
    if (slider) document.getElementById(slider.dataset.slides).form.requestSubmit();
  });
  // What is shown is what the address says: an answer that comes after the page was left is not shown, whoever sorts or
  // searches while a filter is on its way gets both, and what is typed while an answer comes is asked after it.
  let shown = location.pathname + location.search, leaving = false, asking = null, interrupted = null, sought = null;
  const search = () => document.querySelector("form.search input[type=search]");
  const leave = (address) => {
    leaving = true;
    if (address) location.assign(address);
    else location.reload();
  };
  for (const name of ["htmx:pushedIntoHistory", "htmx:replacedInHistory"]) {
    document.addEventListener(name, () => { shown = location.pathname + location.search; });
  }
  addEventListener("popstate", () => { if (location.pathname + location.search !== shown) leave(); });
  addEventListener("pageshow", (event) => { if (event.persisted) leave(); });
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (typing?.isConnected) owed = typing; // asked again, with the day, when it is finished
    if (leaving || owed) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const typed = search(), asked = new URL(event.detail.pathInfo.finalRequestPath, location.href).searchParams.get("q") ?? "";
    sought = typed && typed === document.activeElement && typed.value.trim() !== asked ? typed.value : null;
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (sought === null || !search()) return;
    search().value = sought;
    sought = null;
    search().form.requestSubmit();
  });
  document.addEventListener("htmx:confirm", (event) => { interrupted = chooser(event.target) ? null : asking; });
  document.addEventListener("htmx:beforeRequest", (event) => { if (chooser(event.target)) asking = event.target; });
  document.addEventListener("htmx:afterRequest", (event) => { // its form may be replaced by then
    if (event.target === asking || event.detail.requestConfig?.elt === asking || !asking?.isConnected) asking = null;
  });
  document.addEventListener("htmx:configRequest", (event) => {
    const form = event.detail.formData, own = chooser(event.target);
    for (const kept of own?.querySelectorAll("[data-kept]") ?? []) { // the table has been sorted or searched since
      const typed = kept.name === "q" && search();
      form.set(kept.name, typed ? typed.value : new URLSearchParams(location.search).get(kept.name) ?? "");
    }
    for (const name of new Set(form.keys())) { // what is not chosen stays out of the address
      const chosen = form.getAll(name).filter((text) => text !== "");
      form.delete(name);
      for (const text of chosen) form.append(name, text);
    }
    if (interrupted) {
      const address = new URL(event.detail.path, location.href);
      for (const [name, text] of form) address.searchParams.set(name, text);
      for (const [name, text] of new FormData(interrupted)) {
        const control = interrupted.elements.namedItem(name);
        if (control instanceof Element && control.matches("[data-kept]")) continue;
        if (text) address.searchParams.set(name, text);
        else address.searchParams.delete(name);
      }
      for (const name of ["after", "at"]) address.searchParams.delete(name);
      event.preventDefault();
      leave(address);
    }
  });
  document.addEventListener("htmx:responseError", (event) => { location.href = event.detail.pathInfo.finalRequestPath; });
})();
