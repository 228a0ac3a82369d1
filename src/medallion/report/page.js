(() => {
  const data = JSON.parse(document.getElementById("charts").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const draw = () => {
    const mode = dark.matches ? "dark" : "light";
    for (const place of document.querySelectorAll("[data-chart]")) {
      window.vegaEmbed(place, data.charts[place.dataset.chart][mode], {
        mode: "vega-lite", renderer: "svg", ast: true, config: data.configs[mode],
        tooltip: { theme: mode },
        actions: { export: true, source: false, compiled: false, editor: false },
      }).then(() => place.setAttribute("data-drawn", mode), (error) => { place.textContent = String(error); });
    }
  };
  draw();
  dark.addEventListener("change", draw);
})();
