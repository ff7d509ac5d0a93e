//! OpenTelemetry for agentauth.
