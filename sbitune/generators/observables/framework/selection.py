"""A set of particles in each event, and the shapes of the events they make."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from sbitune.generators.observables.kernels import correlations, hemispheres, merging, tensors, thrust


class Selection:
    """Particles of a batch as flat arrays (n,), event by event, GeV; shapes are computed when first asked for."""

    def __init__(
        self, momenta: Iterable[np.ndarray], offsets: np.ndarray, event_weight: np.ndarray, charge: np.ndarray
    ):
        self.px, self.py, self.pz, self.e = momenta
        self.offsets = offsets  #: (n_events + 1,) where each event starts
        self.event_weight = event_weight  #: (n_events,)
        self.charge = charge  #: (n,) three times the electric charge

    def where(self, keep: np.ndarray) -> "Selection":
        """Return the particles for which `keep` (n,) is true."""
        kept = np.concatenate(([0], np.cumsum(keep)))
        momenta = (column[keep] for column in (self.px, self.py, self.pz, self.e))
        return Selection(momenta, kept[self.offsets], self.event_weight, self.charge[keep])

    def of_events(self, keep: np.ndarray) -> "Selection":
        """Return the particles of the events for which `keep` (n_events,) is true, without the other events."""
        chosen = np.repeat(keep, self.count)
        columns = (column[chosen] for column in (self.px, self.py, self.pz, self.e))
        offsets = np.concatenate(([0], np.cumsum(self.count[keep])))
        return Selection(columns, offsets, self.event_weight[keep], self.charge[chosen])

    @cached_property
    def count(self) -> np.ndarray:
        """Number of particles (n_events,)."""
        return np.diff(self.offsets)

    @cached_property
    def event(self) -> np.ndarray:
        """Number of the event each particle is in (n,)."""
        return np.repeat(np.arange(len(self.event_weight)), self.count)

    @cached_property
    def weight(self) -> np.ndarray:
        """Weight of the event each particle is in (n,)."""
        return self.event_weight[self.event]

    @cached_property
    def p(self) -> np.ndarray:
        """Magnitude of the momentum (n,)."""
        return np.sqrt(self.px**2 + self.py**2 + self.pz**2)

    @cached_property
    def pt(self) -> np.ndarray:
        """Momentum transverse to the beams (n,)."""
        return np.sqrt(self.px**2 + self.py**2)

    @cached_property
    def eta(self) -> np.ndarray:
        """Pseudorapidity asinh(pz / pt) (n,); infinite along the beams."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.arcsinh(self.pz / self.pt)

    @cached_property
    def _thrust(self) -> tuple[np.ndarray, np.ndarray]:
        return thrust.thrust(self.px, self.py, self.pz, self.p, self.offsets)

    @property
    def thrust(self) -> np.ndarray:
        """Thrust (n_events,)."""
        return self._thrust[0][:, 0]

    @property
    def major(self) -> np.ndarray:
        """Thrust major M (n_events,)."""
        return self._thrust[0][:, 1]

    @property
    def minor(self) -> np.ndarray:
        """Thrust minor m (n_events,)."""
        return self._thrust[0][:, 2]

    @property
    def oblateness(self) -> np.ndarray:
        """O = M - m (n_events,)."""
        return self.major - self.minor

    @property
    def thrust_axes(self) -> np.ndarray:
        """Unit vectors (n_events, 3, 3): rows thrust, major and minor axis."""
        return self._thrust[1]

    @cached_property
    def _quadratic(self) -> tuple[np.ndarray, np.ndarray]:
        return tensors.sphericity(self.px, self.py, self.pz, self.offsets)

    @property
    def sphericity(self) -> np.ndarray:
        """S = 3/2 (l2 + l3) (n_events,)."""
        values = self._quadratic[0]
        return 1.5 * (values[:, 1] + values[:, 2])

    @property
    def aplanarity(self) -> np.ndarray:
        """A = 3/2 l3 (n_events,)."""
        return 1.5 * self._quadratic[0][:, 2]

    @property
    def planarity(self) -> np.ndarray:
        """P = l2 - l3 (n_events,)."""
        values = self._quadratic[0]
        return values[:, 1] - values[:, 2]

    @property
    def sphericity_axes(self) -> np.ndarray:
        """Eigenvectors (n_events, 3, 3) of the quadratic tensor as rows, largest eigenvalue first."""
        return self._quadratic[1]

    @cached_property
    def _linear(self) -> np.ndarray:
        return tensors.linear_shapes(self.px, self.py, self.pz, self.p, self.offsets)

    @property
    def c_parameter(self) -> np.ndarray:
        """C = 3 (l1 l2 + l1 l3 + l2 l3) of the linear tensor (n_events,)."""
        return self._linear[:, 0]

    @property
    def d_parameter(self) -> np.ndarray:
        """D = 27 l1 l2 l3 of the linear tensor (n_events,)."""
        return self._linear[:, 1]

    @cached_property
    def hemispheres(self) -> "Hemispheres":
        """Masses and broadenings with respect to the thrust axis."""
        axis = np.ascontiguousarray(self.thrust_axes[:, 0])
        return Hemispheres(hemispheres.hemispheres(self.px, self.py, self.pz, self.e, self.p, axis, self.offsets))

    @cached_property
    def durham(self) -> np.ndarray:
        """y23, y34, y45, y56 of the Durham algorithm (n_events, 4)."""
        return self._merging_scales(merging.DURHAM)

    @cached_property
    def jade(self) -> np.ndarray:
        """y23, y34, y45, y56 of the JADE algorithm (n_events, 4)."""
        return self._merging_scales(merging.JADE)

    def _merging_scales(self, measure: int) -> np.ndarray:
        return merging.merging_scales(self.px, self.py, self.pz, self.e, self.offsets, measure)

    def energy_correlations(self) -> tuple[np.ndarray, np.ndarray]:
        """Return cos(chi) and w E_i E_j / E_vis^2 of every pair i < j of every event (n_pairs,)."""
        return correlations.energy_correlations(
            self.px, self.py, self.pz, self.e, self.p, self.event_weight, self.offsets
        )

    def along(self, axes: np.ndarray) -> np.ndarray:
        """Return the component (n,) of each momentum along its event's direction; `axes` (n_events, 3)."""
        x, y, z = (np.repeat(axes[:, k], self.count) for k in range(3))
        return self.px * x + self.py * y + self.pz * z

    def rapidity(self, axes: np.ndarray) -> np.ndarray:
        """Return |y| = |1/2 ln((E + p_n) / (E - p_n))| (n,) along each event's direction n; `axes` (n_events, 3)."""
        along = np.abs(self.along(axes))
        # a massless particle on the axis would be at infinity: it goes to the overflow, at a finite place
        behind = np.maximum(self.e - along, np.finfo(float).tiny)
        return 0.5 * np.log((self.e + along) / behind)


class Hemispheres:
    """Masses (scaled to the visible energy) and broadenings of the two hemispheres of each event, all (n_events,)."""

    def __init__(self, rows: np.ndarray):
        self.visible_energy = rows[:, 0]  #: GeV
        with np.errstate(divide="ignore", invalid="ignore"):
            self.heavy = rows[:, 1] / rows[:, 0] ** 2  #: M_high^2 / E_vis^2
            self.light = rows[:, 2] / rows[:, 0] ** 2  #: M_low^2 / E_vis^2
        self.wide = rows[:, 3]  #: B_max
        self.narrow = rows[:, 4]  #: B_min
