from __future__ import annotations

from samjhadoo_emulator.elbv2.data_plane.admin import HostStatus, hosts_of

CLUSTERS = """\
discovery::/run/xds.sock::rq_active::104
discovery::/run/xds.sock::health_flags::healthy
blue::default_priority::max_connections::1024
blue::added_via_api::true
blue::127.0.0.1:8001::cx_active::1
blue::127.0.0.1:8001::rq_active::3
blue::127.0.0.1:8001::health_flags::healthy
blue::127.0.0.1:8001::weight::1
blue::127.0.0.1:8002::rq_active::0
blue::127.0.0.1:8002::health_flags::/failed_active_hc/active_hc_timeout
green::[::1]:8001::rq_active::0
green::[::1]:8001::health_flags::/failed_active_hc/pending_active_hc
"""


def test_endpoints_are_read_from_envoys_text_but_not_those_that_configure_it():
    assert hosts_of(CLUSTERS) == {
        ("blue", "127.0.0.1", 8001): HostStatus(pending=False, failed=False, timed_out=False, active=3),
        ("blue", "127.0.0.1", 8002): HostStatus(pending=False, failed=True, timed_out=True, active=0),
        ("green", "::1", 8001): HostStatus(pending=True, failed=True, timed_out=False, active=0),
    }


def test_no_endpoints_are_none():
    assert hosts_of("") == {}
