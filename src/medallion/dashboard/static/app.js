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
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.activeElement?.closest(".card")?.classList.add("quiet");
  });
  document.addEventListener("focusout", (event) => event.target.closest?.(".card")?.classList.remove("quiet"));
  document.addEventListener("change", (event) => { // a choice asks at once; what is typed waits for the button
    if (event.target.matches?.("form[data-choose] select")) event.target.form.requestSubmit();
  });
  document.addEventListener("htmx:configRequest", (event) => {
    const form = event.detail.formData; // what is not chosen stays out of the address
    for (const name of new Set(form.keys())) {
      const chosen = form.getAll(name).filter((text) => text !== "");
      form.delete(name);
      for (const text of chosen) form.append(name, text);
    }
  });
  document.addEventListener("htmx:responseError", (event) => { location.href = event.detail.pathInfo.finalRequestPath; });
})();
