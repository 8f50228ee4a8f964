"""A simulated plant: machines with shifts, load cycles and correlated noise, and faults of known truth."""

from streams.simulator.faults import Fault, FaultKind
from streams.simulator.plant import Plant, SimulatedMachine
from streams.simulator.scenario import demo_plant, plant_classes, steady_plant

__all__ = [
    "Fault",
    "FaultKind",
    "Plant",
    "SimulatedMachine",
    "demo_plant",
    "plant_classes",
    "steady_plant",
]
