"""How a snapshot keeps metrics: rows of up to sixty points, of which only those that changed are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from samjhadoo_emulator.cloudwatch.sample import Sample
from samjhadoo_emulator.cloudwatch.store import CHUNK
from samjhadoo_emulator.snapshots.tables import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from samjhadoo_emulator.cloudwatch.store import Series, Store
    from samjhadoo_emulator.snapshots.tables import Change

Parts = tuple[float, float, float, float, dict[float, float] | None]


class Name(NamedTuple):
    """What a row is called: its metric, unit, resolution and number, which orders rows as text, too."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str
    resolution: int
    chunk: str


class Points:
    """The table of a store's points."""

    name = "metrics"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[int, tuple[Series, set[str]]] = {}

    def changes(self) -> Iterator[Change]:
        """Yield what has changed; see `Table`."""
        before, self._rows = self._rows, {}
        for (namespace, metric, dimensions), unit, series in self._store.all_series():
            rows = before.pop(id(series), (series, set()))[1]
            self._rows[id(series)] = (series, rows)
            touched, series.touched = series.touched, set()
            for resolution, chunk in touched:
                name = Name(namespace, metric, dimensions, unit, resolution, f"{chunk:012}")
                key = msgspec.json.encode(name).decode()
                points = _points(series, resolution, chunk)
                (rows.add if points else rows.discard)(key)
                yield key, encode((series.latest, points)) if points else None
        for _, gone in before.values():
            for key in gone:
                yield key, None

    def shown(self) -> dict[str, Any]:
        """Return how many points of each resolution there are; see `Table`."""
        return {
            " ".join((namespace, metric, *(f"{name}={value}" for name, value in dimensions), unit)): {
                str(resolution): len(points) for resolution, points in series.points.items() if points
            }
            for (namespace, metric, dimensions), unit, series in self._store.all_series()
        }

    def load(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take the rows; see `Table`."""
        for key, data in rows:
            name = msgspec.json.decode(key, type=Name)
            series = self._store.series((name.namespace, name.metric, name.dimensions), name.unit)
            latest, points = msgspec.msgpack.decode(data, type=tuple[float, dict[int, Parts]])
            series.latest = max(series.latest, latest)
            series.points[name.resolution].update({at: Sample(*parts) for at, parts in points.items()})
            self._rows.setdefault(id(series), (series, set()))[1].add(key)


def _points(series: Series, resolution: int, chunk: int) -> dict[int, Parts]:
    points, first = series.points[resolution], chunk * CHUNK * resolution
    return {
        at: points[at].parts() for at in range(first, first + CHUNK * resolution, resolution) if at in points
    }
