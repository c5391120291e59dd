"""The embedded engine behind the gateway: a model in this process, answering many at once.

Always holds: it is a `capture.upstream.Backend`, so that all the gateway promises holds for it too; each is answered
under the adapter that is in service for its tenant.
"""
