"""Print how long the first `act` of a kind of agent takes in a fresh process, in seconds.

`python -m robolearn.bench.first_act spiking`; `NUMBA_CACHE_DIR` says where machine code is kept.
"""

import sys
import time

import numpy as np

from robolearn.agents.protocol import Feedback
from robolearn.agents.registry import make_agent


def main() -> None:
    """Build one agent and let it act once."""
    agent = make_agent(sys.argv[1], observation_size=8, action_size=2)
    parameters = agent.express(agent.genome.initial(np.random.default_rng(0))[None])
    state = agent.new_state(1)
    observation, feedback = np.zeros((1, 8), np.float32), Feedback.first(1)
    started = time.perf_counter()
    agent.reset(parameters, state, np.arange(1), [np.random.default_rng(0)])
    agent.act(parameters, state, observation, feedback)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
