"""Which codes lie in which: regions, departments and communes as INSEE numbers them.

A commune's code begins with its department's, so that only regions need a table, and the three
communes whose districts (arrondissements) have codes of their own. Source: INSEE, Code officiel
géographique, by way of etalab/decoupage-administratif; the regions are those of the law of 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_REGIONS = {
    "01": "971",  # Guadeloupe
    "02": "972",  # Martinique
    "03": "973",  # Guyane
    "04": "974",  # La Réunion
    "06": "976",  # Mayotte
    "11": "75 77 78 91 92 93 94 95",  # Île-de-France
    "24": "18 28 36 37 41 45",  # Centre-Val de Loire
    "27": "21 25 39 58 70 71 89 90",  # Bourgogne-Franche-Comté
    "28": "14 27 50 61 76",  # Normandie
    "32": "02 59 60 62 80",  # Hauts-de-France
    "44": "08 10 51 52 54 55 57 67 68 88",  # Grand Est
    "52": "44 49 53 72 85",  # Pays de la Loire
    "53": "22 29 35 56",  # Bretagne
    "75": "16 17 19 23 24 33 40 47 64 79 86 87",  # Nouvelle-Aquitaine
    "76": "09 11 12 30 31 32 34 46 48 65 66 81 82",  # Occitanie
    "84": "01 03 07 15 26 38 42 43 63 69 73 74",  # Auvergne-Rhône-Alpes
    "93": "04 05 06 13 83 84",  # Provence-Alpes-Côte d'Azur
    "94": "2A 2B",  # Corse
}
REGIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {region: tuple(listed.split()) for region, listed in _REGIONS.items()}
)
DEPARTMENTS = frozenset(code for listed in REGIONS.values() for code in listed)
# Communes with districts: how the codes of those begin.
DISTRICTS: Mapping[str, str] = MappingProxyType(
    {"75056": "751", "69123": "6938", "13055": "132"}  # Paris, Lyon, Marseille
)
