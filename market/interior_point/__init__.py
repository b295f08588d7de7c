"""One agent a bus, exactly: a primal-dual interior point method whose linear algebra is message passing."""
