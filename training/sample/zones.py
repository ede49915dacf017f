"""Where green cabs go: the place, the trade and the traffic of 122 taxi zones of New York City.

The table sums up the TLC's months of 2021 to 2023, rounded; no trip of theirs is in it. The places
were worked out from the median distances driven between zones, divided by ``DETOUR``, so that a
zone behind a bridge lies a little farther off than on a map. The zones left out see under one in
six of the trips of early 2021.
"""

from typing import NamedTuple

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

DETOUR = 1.3
"""Miles driven per mile as the crow flies."""

NO_ZONE = (264, 265)
"""The TLC's numbers for "unknown" and "outside the city"."""

JFK = 132
"""The airport to which a cab from the street has a flat fare."""

CORE = (43, 48, 137, 140, 141, 142, 143, 170, 236, 237, 238, 239, 262, 263)
"""Zones of Manhattan south of 96th Street, where the state's congestion surcharge is due."""

# The columns: the TLC's number; miles east and north of 40.75 N, 73.95 W; how many of 10,000 hailed
# trips start and how many end there; the same of 10,000 booked trips; the minutes a trip takes, as
# a multiple of the city's; the name.
_TABLE = """
    3    5.0     9.4       3       5      50      43    0.84  Allerton/Pelham Gardens
    7    2.2     1.1     169      86      93      74    0.99  Astoria
   10    8.6    -5.3      13      25      57      60    0.86  Baisley Park
   14   -5.2    -8.2      14      19     102      90    0.89  Bay Ridge
   17    0.5    -4.7      43      80     128     112    1.24  Bedford
   18    2.4     9.0      14      24      63      56    1.04  Bedford Park
   20    2.8     8.3       7      10      38      38    0.94  Belmont
   22   -3.4    -9.8       6       9      54      46    0.96  Bensonhurst West
   24   -1.1     4.2      61      94       7      12    1.05  Bloomingdale
   25   -1.5    -4.7     132      59      83      74    1.23  Boerum Hill
   26   -2.7    -8.2       5      11      81      72    1.31  Borough Park
   28    7.7    -3.0       6      49      35      35    0.75  Briarwood/Jamaica Hills
   32    4.1     9.3       3       6      52      41    0.84  Bronxdale
   33   -1.7    -4.1     126      62      81      65    1.17  Brooklyn Heights
   35    2.1    -6.9      14      27     148     135    1.18  Brownsville
   37    1.7    -4.3       6      22      70      71    1.30  Bushwick South
   39    2.4    -8.7      13      22     156     141    0.98  Canarsie
   41   -0.3     4.5     904     488     110      92    1.04  Central Harlem
   42    0.2     5.2     520     545     225     149    0.97  Central Harlem North
   43   -0.5     3.4     287     115      15      24    0.95  Central Park
   47    2.1     6.9      17      24      84      81    1.07  Claremont/Bathgate
   48   -1.8     1.1       0      59      10      36    1.00  Clinton East
   49   -0.2    -4.8      45     105      89      74    1.14  Clinton Hill
   51    6.5    10.1       8      14     153     127    0.74  Co-Op City
   52   -1.9    -4.6     104      20      13       9    0.98  Cobble Hill
   55   -3.0   -12.8      22      17      85      75    0.85  Coney Island
   56    5.3    -0.8      11      35      47      42    1.01  Corona
   61    0.6    -5.7      54     106     285     258    1.18  Crown Heights North
   62    0.0    -6.3       6      28      95      79    1.18  Crown Heights South
   65   -1.2    -4.3     297      35      57      56    1.24  Downtown Brooklyn/MetroTech
   69    1.3     6.2      43      60     103      84    1.26  East Concourse/Concourse Village
   71    0.5    -7.8       7       9     112     100    1.12  East Flatbush/Farragut
   72    1.4    -7.5       5      16     135     124    1.10  East Flatbush/Remsen Village
   74    0.5     4.3    1550     669     168     136    0.98  East Harlem North
   75   -0.2     3.6    1412     575     144     137    0.96  East Harlem South
   76    3.9    -7.2      19      27     194     203    1.03  East New York
   77    2.9    -7.0      12      16      47      52    1.09  East New York/Pennsylvania Avenue
   78    3.0     7.5      11      21      68      61    1.04  East Tremont
   81    5.4    10.5       3       4      54      45    0.86  Eastchester
   82    4.2    -1.0     159      73     102      85    1.18  Elmhurst
   85   -0.2    -7.6       3       8      57      54    1.27  Erasmus
   89   -0.8    -8.0      10      35     150     140    1.18  Flatbush/Ditmas Park
   91    0.5    -9.1       4       7     108     116    1.07  Flatlands
   92    7.1     0.7      19      14      45      45    0.86  Flushing
   95    6.1    -2.4     408     127     135     115    0.94  Forest Hills
   97   -1.0    -4.6     304      99     138     128    1.17  Fort Greene
  106   -1.8    -5.6       5      15      45      28    1.08  Gowanus
  116   -0.4     5.8     186     197      93      56    1.00  Hamilton Heights
  117    9.0   -12.6      10      16      39      37    1.23  Hammels/Arverne
  119    0.8     6.9      25      41      59      53    1.04  Highbridge
  121    8.3    -2.0       7      31      56      49    0.85  Hillcrest/Pomonok
  123   -1.6   -10.3       2       3      51      53    1.08  Homecrest
  126    3.0     5.6      11      18      29      36    1.01  Hunts Point
  127    0.2     8.7      45      51      38      28    0.99  Inwood
  129    3.7     0.0      85      75      75      60    1.16  Jackson Heights
  130    8.3    -3.7     151      68     112      98    0.93  Jamaica
  131    9.5    -2.5       5      14      48      47    0.79  Jamaica Estates
  132    9.1    -7.5       3      23       0       5    0.85  JFK Airport
  134    7.0    -2.9      62      47      43      39    0.82  Kew Gardens
  135    7.6    -1.8       7      45      28      26    0.89  Kew Gardens Hills
  136    1.5     8.9      25      33      66      60    1.22  Kingsbridge Heights
  137   -1.2     0.1       1      35      31      82    1.07  Kips Bay
  138    5.2     1.6       1      30       0       7    0.85  LaGuardia Airport
  140   -0.5     1.7       1     111      45      97    1.09  Lenox Hill East
  141   -0.1     1.8       0     100      13      27    1.06  Lenox Hill West
  142   -1.7     2.2       1      97       7      23    0.92  Lincoln Square East
  143   -2.1     2.5       0      62       6      16    0.88  Lincoln Square West
  145    0.9    -0.2      27      29      13      19    1.07  Long Island City/Hunters Point
  151   -1.2     3.9       2     221      23      32    0.92  Manhattan Valley
  152   -0.7     5.3     119     137      30      26    1.01  Manhattanville
  155    1.1   -10.0       4       5      65      57    0.95  Marine Park/Mill Basin
  159    1.5     5.5      44      56      81      69    1.19  Melrose South
  165   -1.0    -9.2       3       5      67      70    1.16  Midwood
  166   -1.0     4.6     435     279      46      46    1.00  Morningside Heights
  167    2.1     6.0      20      28      74      60    1.20  Morrisania/Melrose
  168    1.4     4.9      31      90      80      86    1.01  Mott Haven/Port Morris
  169    1.9     7.7      26      34      72      66    1.13  Mount Hope
  170   -1.0     0.6       1      37      21      65    1.04  Murray Hill
  174    3.0     9.9      17      16      97     106    0.89  Norwood
  177    2.0    -6.0       8      18      79      78    1.18  Ocean Hill
  179    2.2     1.7      24      42      38      33    1.06  Old Astoria
  181   -1.4    -5.7      65      87     121     119    1.18  Park Slope
  182    4.6     7.2      11      14      69      54    1.03  Parkchester
  185    4.8     8.5      14      10      74      77    0.83  Pelham Parkway
  188    0.2    -6.9      13      46     217     199    1.19  Prospect-Lefferts Gardens
  189   -0.6    -5.5       8      39      38      34    1.17  Prospect Heights
  191   11.4    -2.7      11      33      34      33    0.90  Queens Village
  193    1.4     0.8      53      63      29      37    0.94  Queensbridge/Ravenswood
  195   -3.0    -4.9       9      34      21      21    0.85  Red Hook
  196    5.2    -1.6      58      37      70      60    0.98  Rego Park
  197    6.9    -4.1      76     102      79      63    1.13  Richmond Hill
  205   10.1    -4.9       3      12      73      70    0.90  Saint Albans
  208    6.4     6.5       5      10      48      51    0.69  Schuylerville/Edgewater Park
  210   -0.9   -11.5       5       5      56      47    0.83  Sheepshead Bay
  212    4.2     6.4       7      12      50      43    0.80  Soundview/Bruckner
  213    4.8     5.9      44      50     127     113    0.81  Soundview/Castle Hill
  215    9.0    -4.2       7      23      68      59    0.95  South Jamaica
  216    7.2    -5.4       7      29      48      52    0.86  South Ozone Park
  218    9.4    -5.9       5      11      53      55    0.85  Springfield Gardens North
  220    0.7     9.9      15      32      63      57    0.82  Spuyten Duyvil/Kingsbridge
  222    3.6    -8.1       2       3      55      45    0.93  Starrett City
  223    3.0     1.7      17      41      37      34    0.91  Steinway
  225    1.3    -4.9      14      47     141     127    1.18  Stuyvesant Heights
  226    2.0    -0.4      43      60      42      50    1.10  Sunnyside
  227   -3.5    -7.5      13      21      43      36    1.09  Sunset Park East
  228   -3.8    -6.4      13      23      71      78    1.00  Sunset Park West
  235    1.1     7.9      23      39      93      77    1.00  University Heights/Morris Heights
  236   -0.6     2.9      36     308      15      48    0.98  Upper East Side North
  237   -0.1     1.9       0     123      10      26    1.10  Upper East Side South
  238   -1.4     3.5       1     299      13      35    0.86  Upper West Side North
  239   -1.7     3.0       0     149       4      17    0.79  Upper West Side South
  241    1.8     9.6      16      24      51      49    1.00  Van Cortlandt Village
  242    5.4     7.9      14      16     178     179    0.86  Van Nest/Morris Park
  243   -0.1     7.8      58      98      64      44    1.02  Washington Heights North
  244   -0.5     6.8     558     217     141     111    0.85  Washington Heights South
  247    0.7     6.1      51      61      79      77    1.01  West Concourse
  250    5.0     6.9       6      10      49      47    0.81  Westchester Village/Unionport
  254    4.3    10.5      10      16     109      88    0.88  Williamsbridge/Olinville
  259    4.5    11.4       2       7      42      40    0.77  Woodlawn/Wakefield
  260    2.9    -0.3      35      42      38      36    0.98  Woodside
  262   -0.1     2.3       2     106       5      17    1.07  Yorkville East
  263    0.0     2.8      11     213      22      50    0.94  Yorkville West
"""


class Zones(NamedTuple):
    """The table's columns, each an array of n_zones in the order of the zones' numbers."""

    number: NDArray[np.int64]
    east: NDArray[np.float64]  # miles
    north: NDArray[np.float64]  # miles
    hailed_start: NDArray[np.float64]
    hailed_end: NDArray[np.float64]
    booked_start: NDArray[np.float64]
    booked_end: NDArray[np.float64]
    pace: NDArray[np.float64]


def zones() -> Zones:
    """The table above, read into arrays."""
    rows = [line.split(maxsplit=8)[:8] for line in _TABLE.strip().splitlines()]
    number, *columns = np.array(rows, dtype=np.float64).T
    return Zones(number.astype(np.int64), *columns)


def distances(table: Zones) -> NDArray[np.float64]:
    """Miles by road between the middles of every two zones, (n_zones, n_zones)."""
    east = table.east[:, None] - table.east
    north = table.north[:, None] - table.north
    return DETOUR * np.hypot(east, north)


def delays(table: Zones) -> NDArray[np.float64]:
    """Minutes from each zone to each other as a multiple of the city's, (n_zones, n_zones).

    What both zones' streets do not explain is the way between them: good or bad by chance, but the
    same whatever the seed, so that what a model learns of a pair holds for another month too.
    """
    streets = np.sqrt(np.outer(table.pace, table.pace))
    ways = Generator(PCG64(2021)).lognormal(0.0, 0.12, streets.shape)
    delays: NDArray[np.float64] = streets * ways
    return delays


def pair_shares(
    starts: NDArray[np.float64], ends: NDArray[np.float64], appeal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The share of trips from each zone to each other, (n_zones, n_zones), summing to 1.

    ``appeal`` says how likely a trip is by its distance alone. Rows and columns are scaled in turn
    until the sums match the trips that start and end in each zone: a doubly constrained gravity
    model.
    """
    # A 0 in the table is less than half a trip in 10,000, rounded: rare, not never.
    starts, ends = starts.clip(0.2), ends.clip(0.2)
    shares = appeal.copy()
    for _ in range(30):
        shares *= (starts / starts.sum() / shares.sum(axis=1))[:, None]
        shares *= ends / ends.sum() / shares.sum(axis=0)
    total: np.float64 = shares.sum()
    return shares / total
