// The model and chi2 as functions of the parameters. No page in here: numbers in, numbers out.

/** Arrays travel as base64 of little-endian numbers. */
function decode(text, Type) {
  const raw = atob(text);
  const bytes = Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
  return new Type(bytes.buffer);
}

/**
 * Means of Gaussian processes: shift + K alpha of every output, with K_i the kernel of theta and run i,
 * exp(-|(x - x_i) L|^2 / 2) + c (1 + x . x_i), x being theta scaled to [-1, 1] and some logarithms.
 */
function makeProcesses({ low, high, bins, exact }) {
  const centre = decode(exact.centre, Float64Array);
  const log = decode(exact.log, Uint8Array);

  function features(theta, logs) {
    const scaled = (x, from, to) => (2 * x - from - to) / (to - from);
    const ends = (p) => [Math.log(low[p] / high[p] + exact.offset), Math.log1p(exact.offset)];
    const linear = low.map((from, p) => scaled(theta[p], from, high[p]));
    const more = logs.map((p) => scaled(Math.log(Math.max(theta[p] / high[p], 0) + exact.offset), ...ends(p)));
    return Float64Array.from([...linear, ...more]);
  }

  const parts = exact.parts.map((record) => {
    const { runs, groups, logs, line, group, shift, places } = record;
    const n = low.length + logs.length;
    const inputs = decode(record.inputs, Float64Array);
    const metric = decode(record.metric, Float64Array);
    const alpha = decode(record.alpha, Float64Array);
    const loadings = record.loadings === null ? null : decode(record.loadings, Float64Array);

    /** x L of the group g, with x the numbers that begin at `from`. */
    function stretch(x, from, g, into, to) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let i = j; i < n; i++) sum += x[from + i] * metric[(g * n + i) * n + j]; // L is lower triangular
        into[to + j] = sum;
      }
    }
    const stretched = new Float64Array(groups * runs * n);
    for (let g = 0; g < groups; g++) {
      for (let r = 0; r < runs; r++) stretch(inputs, r * n, g, stretched, (g * runs + r) * n);
    }

    function kernels(x) {
      const here = new Float64Array(n);
      const found = new Float64Array(groups * runs);
      for (let g = 0; g < groups; g++) {
        stretch(x, 0, g, here, 0);
        for (let r = 0; r < runs; r++) {
          let [square, product] = [0, 1];
          for (let i = 0, at = (g * runs + r) * n; i < n; i++) {
            square += (here[i] - stretched[at + i]) ** 2;
            product += x[i] * inputs[r * n + i];
          }
          found[g * runs + r] = Math.exp(-0.5 * square) + line[g] * product;
        }
      }
      return found;
    }

    return (theta, mean) => {
      const k = kernels(features(theta, logs));
      for (let o = 0; o < group.length; o++) {
        let y = shift[o];
        for (let r = 0; r < runs; r++) y += k[group[o] * runs + r] * alpha[o * runs + r];
        if (loadings === null) mean[places[o]] += y;
        else for (let b = 0; b < bins; b++) mean[b] += y * loadings[o * bins + b];
      }
    };
  });

  return (theta) => {
    const mean = Float64Array.from(centre);
    for (const add of parts) add(theta, mean);
    return mean.map((value, b) => (log[b] ? Math.exp(value) : value));
  };
}

/** Means and errors of all bins; `record` is what the page carries: Legendre products, and means that are exact. */
function makeModel(record) {
  const { low, high, bins, degree } = record;
  const parameters = low.length;
  const exponents = decode(record.exponents, Uint8Array);
  const coefficients = decode(record.coefficients, Float32Array);
  const errorCoefficients = decode(record.error_coefficients, Float32Array);
  const log = decode(record.log, Uint8Array);
  const terms = exponents.length / parameters;
  const table = new Float64Array(parameters * (degree + 1));

  /** Every term at theta: (k+1) P_k+1 = (2k+1) x P_k - k P_k-1 in each parameter, then their products. */
  function basis(theta) {
    for (let p = 0; p < parameters; p++) {
      const x = (2 * theta[p] - low[p] - high[p]) / (high[p] - low[p]);
      const row = p * (degree + 1);
      table[row] = 1;
      table[row + 1] = x;
      for (let k = 1; k < degree; k++) {
        table[row + k + 1] = ((2 * k + 1) * x * table[row + k] - k * table[row + k - 1]) / (k + 1);
      }
    }
    const phi = new Float64Array(terms).fill(1);
    for (let t = 0; t < terms; t++) {
      for (let p = 0; p < parameters; p++) {
        phi[t] *= table[p * (degree + 1) + exponents[t * parameters + p]];
      }
    }
    return phi;
  }

  const exact = record.exact === null ? null : makeProcesses(record);

  /** Means at theta, whose terms are phi. */
  function mean(theta, phi) {
    if (exact !== null) return exact(theta);
    const values = new Float64Array(bins);
    for (let t = 0, at = 0; t < coefficients.length / bins; t++) {
      for (let b = 0; b < bins; b++, at++) values[b] += phi[t] * coefficients[at];
    }
    for (let b = 0; b < bins; b++) if (log[b]) values[b] = Math.exp(values[b]);
    return values;
  }

  /** Errors of chosen bins only: what is not on the screen needs none. */
  function error(phi, chosen) {
    const values = new Float64Array(chosen.length);
    for (let t = 0; t < errorCoefficients.length / bins; t++) {
      for (let i = 0; i < chosen.length; i++) values[i] += phi[t] * errorCoefficients[t * bins + chosen[i]];
    }
    return values.map(Math.exp);
  }

  return { basis, mean, error };
}

/** chi2 = r^T V^-1 r in the covariance V of data and model, as it is at the best point. */
function makeChi2(record) {
  const values = decode(record.values, Float64Array);
  const weights = decode(record.weights, Float64Array);
  const n = values.length;
  let factor = null; // made when first needed: for a thousand bins it takes a moment

  /** Lower triangle L of V = L L^T. */
  function cholesky() {
    const scale = decode(record.scale, Float64Array);
    const correlation = decode(record.correlation, Float32Array);
    const l = new Float64Array(n * n);
    for (let i = 0, pair = 0; i < n; i++) {
      for (let j = 0; j <= i; j++, pair++) {
        let v = scale[i] * scale[j] * correlation[pair];
        for (let k = 0; k < j; k++) v -= l[i * n + k] * l[j * n + k];
        l[i * n + j] = i === j ? Math.sqrt(v) : v / l[j * n + j];
      }
    }
    return l;
  }

  /** L^-1 r. */
  function forward(r) {
    factor ??= cholesky();
    const y = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      let sum = r[i];
      for (let j = 0, at = i * n; j < i; j++, at++) sum -= factor[at] * y[j];
      y[i] = sum / factor[i * n + i];
    }
    return y;
  }

  /** r_b (V^-1 r)_b of every bin: their sum is chi2. */
  function terms(mean) {
    const r = mean.map((value, b) => value - values[b]);
    const x = forward(r);
    for (let i = n - 1; i >= 0; i--) {
      x[i] /= factor[i * n + i];
      for (let j = 0, at = i * n; j < i; j++, at++) x[j] -= factor[at] * x[i];
    }
    return x.map((value, b) => value * r[b]);
  }

  /** The sum with the weights, squared as in the fit. */
  function weighted(mean) {
    return forward(mean.map((value, b) => weights[b] * (value - values[b]))).reduce((sum, y) => sum + y * y, 0);
  }

  return { values, terms, weighted, isWeighted: weights.some((weight) => weight !== 1) };
}
