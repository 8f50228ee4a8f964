"""A simulated plant: machines with shifts, load cycles and correlated noise, and faults of known truth."""

from connectors.simulator.faults import Fault, FaultKind
from connectors.simulator.plant import Plant, SimulatedMachine
from connectors.simulator.scenario import demo_plant, plant_classes, steady_plant

__all__ = [
    "Fault",
    "FaultKind",
    "Plant",
    "SimulatedMachine",
    "demo_plant",
    "plant_classes",
    "steady_plant",
]
