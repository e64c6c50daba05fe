// Sliders, figures and numbers that follow them. Everything that moves is drawn into figures whose axes stand.

const page = JSON.parse(document.getElementById("live-data").textContent);
const model = makeModel(page.model);
const measured = makeChi2(page.measured);
const section = document.getElementById("live");
const theta = Float64Array.from(page.best);

function chi2At(mean) {
  const terms = measured.terms(mean);
  const observables = page.observables.map((o) => o.bins.reduce((sum, b) => sum + terms[b], 0));
  const total = observables.reduce((sum, x) => sum + x, 0);
  return { total, observables, weighted: measured.isWeighted ? measured.weighted(mean) : total };
}

const meanOfBest = model.mean(page.best, model.basis(page.best));
let chi2OfBest = null;

// ---- drawing: paths in the coordinates of an SVG ----

/** Functions from values to lengths along the two sides of axes; far outside is cut, since SVG has single precision. */
function sides(box) {
  const along = (value, [from, to], log) => (log ? Math.log(value / from) / Math.log(to / from) : (value - from) / (to - from));
  const cut = (part) => Math.min(3, Math.max(-2, part)); // keeps NaN, and turns log(0) into below the axes
  return {
    x: (value) => (box.left + box.width * cut(along(value, box.x, box.log_x))).toFixed(2),
    y: (value) => {
      const part = box.log_y && value <= 0 ? -2 : cut(along(value, box.y, box.log_y));
      return Number.isNaN(part) ? null : (box.top + box.height * (1 - part)).toFixed(2);
    },
  };
}

/** Runs of bins that touch and whose heights are numbers, as pairs of lists [from, to). */
function runsOf(edges, heights) {
  const runs = [];
  for (let i = 0; i < heights.length; i++) {
    if (heights[i] === null) continue;
    const touches = i > 0 && heights[i - 1] !== null && edges[i][0] === edges[i - 1][1];
    if (touches) runs[runs.length - 1][1] = i + 1;
    else runs.push([i, i + 1]);
  }
  return runs;
}

function stepPath(edges, heights) {
  let path = "";
  for (const [from, to] of runsOf(edges, heights)) {
    path += `M${edges[from][0]} ${heights[from]}`;
    for (let i = from; i < to; i++) path += `V${heights[i]}H${edges[i][1]}`;
  }
  return path;
}

function bandPath(edges, bottom, top) {
  let path = "";
  for (const [from, to] of runsOf(edges, bottom)) {
    path += `M${edges[from][0]} ${top[from]}`;
    for (let i = from; i < to; i++) path += `V${top[i]}H${edges[i][1]}`;
    for (let i = to - 1; i >= from; i--) path += `V${bottom[i]}H${edges[i][0]}`;
    path += "Z";
  }
  return path;
}

/** Adds paths to a figure that show only inside the axes: gives a function that makes one and gives how to set it. */
function clippedPaths(figure, box, name) {
  const svg = figure.querySelector("svg.moving");
  const make = (tag, attributes) => {
    const element = document.createElementNS(svg.namespaceURI, tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const clip = make("clipPath", { id: name });
  clip.append(make("rect", { x: box.left, y: box.top, width: box.width, height: box.height }));
  const group = make("g", { "clip-path": `url(#${name})` });
  svg.append(clip, group);
  return (kind) => {
    const path = make("path", { class: kind });
    group.append(path);
    return (d) => path.setAttribute("d", d);
  };
}

/** A histogram with its ratio to the data: gives the function that draws means and errors of its bins. */
function histogram(figure, observable, index) {
  const { bins, low, high, boxes } = observable;
  const data = bins.map((b) => measured.values[b]);
  const parts = boxes.map((box, k) => {
    const { x, y } = sides(box);
    // touching edges must be the same text, so the high edge of a bin is taken from the next one
    const close = (i) => i + 1 < bins.length && low[i + 1] - high[i] <= 1e-9 * (high[i] - low[i]);
    const edges = bins.map((_, i) => [x(low[i]), x(close(i) ? low[i + 1] : high[i])]);
    const scaled = k === 0 ? (v) => y(v) : (v, i) => (data[i] === 0 ? null : y(v / data[i]));
    const path = clippedPaths(figure, box, `live-clip-${index}-${k}`);
    if (k === 1) {
      const [bottom, top] = [-1, 1].map((s) => data.map((v, i) => scaled(v + s * observable.data_errors[i], i)));
      path("data-error")(bandPath(edges, bottom, top));
    }
    const [band, best, line] = [path("moved-band"), path("best-line"), path("moved-line")];
    best(stepPath(edges, bins.map((b, i) => scaled(meanOfBest[b], i))));
    return (mean, error) => {
      line(stepPath(edges, bins.map((b, i) => scaled(mean[b], i))));
      const [bottom, top] = [-1, 1].map((s) => bins.map((b, i) => scaled(mean[b] + s * error[i], i)));
      band(bandPath(edges, bottom, top));
    };
  });
  return (mean, error) => parts.forEach((part) => part(mean, error));
}

/** Observables of one bin: a row each, the ratio to the data along x. */
function rows(figure, bins, box) {
  const { x, y } = sides(box);
  const path = clippedPaths(figure, box, "live-clip-rows");
  const [best, bar, dot, out] = ["best-line", "moved-line", "moved-dot", "moved-out"].map(path);
  const drawn = bins.map((b, i) => [b, i]).filter(([b]) => measured.values[b] !== 0);
  const height = (i, off) => y(bins.length - 1 - i + off);
  best(drawn.map(([b, i]) => `M${x(meanOfBest[b] / measured.values[b])} ${height(i, -0.4)}V${height(i, 0.4)}`).join(""));
  return (mean, error) => {
    const at = (value, b) => x(value / measured.values[b]);
    bar(drawn.map(([b, i]) => `M${at(mean[b] - error[i], b)} ${height(i, 0)}H${at(mean[b] + error[i], b)}`).join(""));
    const ratio = (b) => mean[b] / measured.values[b];
    const [from, to] = box.x;
    const here = drawn.filter(([b]) => ratio(b) >= from && ratio(b) <= to);
    dot(here.map(([b, i]) => `M${at(mean[b], b)} ${height(i, 0)}h0`).join(""));
    // beyond the ends of the axis: an arrow there
    const arrow = ([b, i]) => (ratio(b) < from ? `M${x(from)} ${height(i, 0)}l7 -4v8z` : `M${x(to)} ${height(i, 0)}l-7 -4v8z`);
    out(drawn.filter(([b]) => ratio(b) < from || ratio(b) > to).map(arrow).join(""));
  };
}

// ---- the figures: made when first seen, drawn while on the screen ----

const figures = [...section.querySelectorAll("figure")].map((element, index) => {
  const single = element.dataset.observable === undefined;
  const observable = single ? null : page.observables[Number(element.dataset.observable)];
  const bins = single ? page.rows.bins : observable.bins;
  const make = () => (single ? rows(element, bins, page.rows.box) : histogram(element, observable, index));
  return { element, bins, make, draw: null, seen: false };
});

const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) figures.find((f) => f.element === entry.target).seen = entry.isIntersecting;
    later();
  },
  { rootMargin: "40px" },
);

// ---- numbers ----

const number = (x) => (Math.abs(x) < 0.05 ? 0 : x).toFixed(Math.abs(x) < 9999.5 ? 1 : 0).replace("-", "\u2212");
const signed = (x) => {
  const size = Math.abs(x);
  return size < 0.05 ? "0.0" : (x > 0 ? "+" : "\u2212") + size.toFixed(size < 999.5 ? 1 : 0);
};
const put = (element, words) => element && element.textContent !== words && (element.textContent = words);
const field = (name) => section.querySelector(`[data-field="${name}"]`);
const fields = Object.fromEntries(["total", "change", "weighted", "weighted-change"].map((name) => [name, field(name)]));
const lines = [...section.querySelectorAll("[data-line]")].map((row) => [row.cells[1], row.cells[2]]);
const captions = page.observables.map((_, i) => section.querySelector(`figure[data-observable="${i}"] [data-chi2]`));

function showChange(element, change) {
  put(element, signed(change));
  element.className = change > 0.05 ? "number bad" : change < -0.05 ? "number good" : "number";
}

function showNumbers(chi2) {
  put(fields.total, number(chi2.total));
  showChange(fields.change, chi2.total - chi2OfBest.total);
  if (fields.weighted) {
    put(fields.weighted, number(chi2.weighted));
    showChange(fields["weighted-change"], chi2.weighted - chi2OfBest.weighted);
  }
  chi2.observables.forEach((x, i) => {
    put(lines[i][0], number(x));
    showChange(lines[i][1], x - chi2OfBest.observables[i]);
    put(captions[i], number(x));
  });
}

// ---- sliders and buttons ----

const sliders = [...section.querySelectorAll("input[type=range]")];
const outputs = [...section.querySelectorAll("output")];
const follow = section.querySelector("input[type=checkbox]");

/** Move the parameters, inside their ranges. */
function set(point) {
  page.model.low.forEach((low, p) => {
    theta[p] = Math.min(page.model.high[p], Math.max(low, point[p]));
    sliders[p].value = theta[p];
  });
  later();
}

sliders.forEach((slider, p) =>
  slider.addEventListener("input", () => {
    theta[p] = Number(slider.value);
    later();
  }),
);
section.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.go) set(page[button.dataset.go]);
  else if (button.dataset.error) {
    const p = Number(button.dataset.parameter);
    const step = page.along[p].map((x, q) => (q === p || follow.checked ? Number(button.dataset.error) * x : null));
    set(step.map((x, q) => (x === null ? theta[q] : page.best[q] + x)));
  }
});

// ---- one redraw per frame of the screen, however often the sliders report ----

let waiting = false;
function later() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    redraw();
  });
}

function redraw() {
  const phi = model.basis(theta);
  const mean = model.mean(theta, phi);
  chi2OfBest ??= chi2At(meanOfBest);
  showNumbers(chi2At(mean));
  theta.forEach((x, p) => put(outputs[p], x.toFixed(page.digits[p])));
  for (const figure of figures) {
    if (!figure.seen) continue;
    figure.draw ??= figure.make();
    figure.draw(mean, model.error(phi, figure.bins));
  }
}

// browsers keep the places of sliders when a page is loaded again
set(page.best);
figures.forEach((figure) => watcher.observe(figure.element));

/** For the console: the same numbers as on the page, in the order of the fitted bins. */
window.sbitune = {
  theta: () => [...theta],
  set,
  redraw,
  predict(point) {
    const phi = model.basis(point);
    const mean = model.mean(point, phi);
    return { mean: [...mean], error: [...model.error(phi, mean.map((_, b) => b))] };
  },
  chi2: (point) => chi2At(model.mean(point, model.basis(point))),
};
