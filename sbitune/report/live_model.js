// The surrogate and chi2 as functions of the parameters. No page in here: numbers in, numbers out.

/** Arrays travel as base64 of little-endian numbers. */
function decode(text, Type) {
  const raw = atob(text);
  const bytes = Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
  return new Type(bytes.buffer);
}

/** Means and errors of all bins from Legendre products; `record` is what the page carries. */
function makeSurrogate(record) {
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

  function mean(phi) {
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

/** chi2 = r^T V^-1 r in the covariance V of data and surrogate, as it is at the tune. */
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

  /** The sum with the card's weights, squared as in the fit. */
  function weighted(mean) {
    return forward(mean.map((value, b) => weights[b] * (value - values[b]))).reduce((sum, y) => sum + y * y, 0);
  }

  return { values, terms, weighted, isWeighted: weights.some((weight) => weight !== 1) };
}
