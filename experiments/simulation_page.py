"""What the simulated caches served, on one plot with Che's approximation."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from experiments.measures import over_seeds
from experiments.plan import Simulation
from experiments.series import Document, Job
from experiments.simulation import Hits, che, zipf
from pages.plot import Panel, key, log_axis, picture, shares_axis
from report.grid import Grid, Value
from report.section import Section
from report.statistics import Estimate

LOOKS = {"lru": "first", "lfu": "third", "fifo": "fourth"}
LAW, LAW_LOOK = "Che's approximation", "mark"
ACROSS, HEIGHT, WIDTH, GAP = 2, 150, 200, 66

Key = tuple[float, str, int]
"""An exponent, a policy and a size."""


def section(simulation: Simulation, done: Sequence[tuple[Job, Document]]) -> Section:
    """Hit rates over sizes, a panel for each popularity."""
    found = rates(done)
    laws = {
        (exponent, size): che(zipf(simulation.questions, exponent), size)
        for exponent in simulation.exponents
        for size in simulation.sizes
    }
    made = Section("The cache alone, simulated")
    apart = [abs(found[exponent, "lru", size].value - laws[exponent, size]) for exponent, size in laws]
    title = f"LRU lies within {100 * max(apart):.2f} points of Che's approximation, at every size and popularity"
    made.chart(
        "simulation", _plot(title, simulation, found, laws), _caption(simulation), _grid(found, laws), below=True
    )
    return made


def rates(done: Sequence[tuple[Job, Document]]) -> dict[Key, Estimate]:
    """The hit rate of each cache over the seeds."""
    shares: dict[Key, list[float]] = {}
    for job, found in done:
        for policy, size, questions, hits in (Hits(*cache) for cache in found["caches"]):
            shares.setdefault((job.definition["exponent"], policy, size), []).append(hits / questions)
    return {cache: over_seeds(values) for cache, values in shares.items()}


def _plot(
    title: str, simulation: Simulation, found: dict[Key, Estimate], laws: dict[tuple[float, int], float]
) -> Element:
    panels = []
    sizes = sorted(simulation.sizes)
    for place, exponent in enumerate(simulation.exponents):
        row, column = divmod(place, ACROSS)
        panel = Panel(
            log_axis("answers in memory", sizes[0], sizes[-1]),
            shares_axis("hit rate"),
            left=56 + column * (WIDTH + GAP),
            top=26 + row * (HEIGHT + GAP),
            width=WIDTH,
            height=HEIGHT,
        )
        panel.label(_popularity(exponent), (panel.x.low, 1), (0, -8))
        for policy in simulation.policies:
            panel.curve([(size, found[exponent, policy, size].value) for size in sizes], LOOKS[policy])
        panel.curve([(size, laws[exponent, size]) for size in sizes], LAW_LOOK)
        panels.append(panel)
    rows = -(-len(panels) // ACROSS)
    bottom = 26 + rows * (HEIGHT + GAP)
    names = [*((policy.upper(), LOOKS[policy]) for policy in simulation.policies), (LAW, LAW_LOOK)]
    legend = Panel(panels[0].x, panels[0].y, left=56, width=WIDTH * ACROSS + GAP)
    key(legend, names, bottom)
    panels[0].parts += legend.parts
    return picture(title, "Hit rates over sizes, a panel for each popularity.", panels, bottom + 10)


def _popularity(exponent: float) -> str:
    return f"Zipf {exponent:g}" if exponent else "uniform"


def _caption(simulation: Simulation) -> str:
    return (
        f"Means over {len(simulation.seeds)} seeds of {simulation.requests:,} requests for {simulation.questions:,} "
        f"questions, after {simulation.warm_up:,} that fill the caches. Every answer is accepted, and each question "
        "has its answer before the next is asked. Intervals over the seeds are in the table, too narrow to be drawn."
    )


def _grid(found: dict[Key, Estimate], laws: dict[tuple[float, int], float]) -> Grid:
    rows: list[Sequence[Value]] = [
        (
            _popularity(exponent),
            policy,
            size,
            *(100 * part for part in estimate[:3]),
            100 * laws[exponent, size] if policy == "lru" else None,
        )
        for (exponent, policy, size), estimate in found.items()
    ]
    names = ("popularity", "policy", "size", "hit rate, %", "low", "high", "Che's approximation, %")
    return Grid("Hit rates", names, rows, ("", "", "", *[".2f"] * 4))
