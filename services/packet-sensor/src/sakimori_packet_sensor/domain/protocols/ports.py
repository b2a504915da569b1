"""What is usually spoken on a port: all there is to go by where content cannot tell, or is not looked at."""

from typing import Final

from sakimori_packet_sensor.domain.protocols.contract import TCP, UDP

PORT_NAMES: Final[dict[tuple[int, int], str]] = {
    (transport, port): name
    for name, transports, ports in (
        ("ftp-data", (TCP,), (20,)),
        ("ftp", (TCP,), (21,)),
        ("ssh", (TCP,), (22,)),
        ("telnet", (TCP,), (23, 2323)),
        ("smtp", (TCP,), (25, 587)),
        ("tacacs", (TCP,), (49,)),
        ("dns", (TCP, UDP), (53,)),
        ("dhcp", (UDP,), (67, 68)),
        ("tftp", (UDP,), (69,)),
        ("kerberos", (TCP, UDP), (88,)),
        ("pop3", (TCP,), (110,)),
        ("sunrpc", (TCP, UDP), (111,)),
        ("ntp", (UDP,), (123,)),
        ("nbns", (UDP,), (137,)),
        ("nbdgm", (UDP,), (138,)),
        ("imap", (TCP,), (143,)),
        ("snmp", (TCP, UDP), (161, 162)),
        ("bgp", (TCP,), (179,)),
        ("ldap", (TCP, UDP), (389,)),
        ("smb", (TCP,), (139, 445)),
        ("modbus", (TCP,), (502,)),
        ("isakmp", (UDP,), (500, 4500)),
        ("syslog", (TCP, UDP), (514,)),
        ("dhcpv6", (UDP,), (546, 547)),
        ("rtsp", (TCP,), (554, 8554)),
        ("openvpn", (TCP, UDP), (1194,)),
        ("radius", (UDP,), (1812, 1813)),
        ("mqtt", (TCP,), (1883,)),
        ("ssdp", (UDP,), (1900,)),
        ("mssql", (TCP,), (1433,)),
        ("oracle", (TCP,), (1521,)),
        ("nfs", (TCP, UDP), (2049,)),
        ("mysql", (TCP,), (3306,)),
        ("rdp", (TCP, UDP), (3389,)),
        ("stun", (TCP, UDP), (3478,)),
        ("opcua", (TCP,), (4840,)),
        ("sip", (TCP, UDP), (5060,)),
        ("mdns", (UDP,), (5353,)),
        ("llmnr", (UDP,), (5355,)),
        ("postgresql", (TCP,), (5432,)),
        ("coap", (UDP,), (5683,)),
        ("amqp", (TCP,), (5672,)),
        ("rfb", (TCP,), (5900, 5901)),
        ("redis", (TCP,), (6379,)),
        ("irc", (TCP,), (6667,)),
        ("zabbix", (TCP,), (10050, 10051)),
        ("dnp3", (TCP, UDP), (20000,)),
        ("ethernetip", (TCP, UDP), (44818,)),
        ("bacnet", (UDP,), (47808,)),
        ("s7comm", (TCP,), (102,)),
        ("iec104", (TCP,), (2404,)),
        ("wireguard", (UDP,), (51820,)),
    )
    for transport in transports
    for port in ports
}
"""(IP protocol, port) to what IANA's registry or common use says of it."""
