"""The parts of the conformance run: environment, network, browser, wire contract."""
