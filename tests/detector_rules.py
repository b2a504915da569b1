"""Rules for tests of the detector, small and independent of the content in rules/."""

BRUTE_FORCE = """
title: Failed login
name: failed_login
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0001
status: stable
level: low
logsource: {category: authentication, service: sshd}
detection:
  failed: {event.action: ssh_login, event.outcome: failure}
  condition: failed
---
title: Password guessing on one account
name: brute_force_attack
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0002
status: stable
tags: [attack.credential-access, attack.t1110.001]
level: high
correlation:
  type: event_count
  rules: [failed_login]
  group-by: [source.ip, user.name]
  timespan: 5m
  condition: {gte: 5}
sakimori:
  entity: source.ip
  confidence: 0.9
  message: "ブルートフォース攻撃を検出: {source.ip}"
  details: {ip: source.ip, username: user.name, failed_attempts: "@observed", attack_type: =brute_force}
  why: Somebody guesses a password.
  response: Block the address.
  decision: {action: block, seconds: 3600}
  cases:
    - name: the fifth failure within five minutes fires
      fires: true
      events:
        - {repeat: 5, every_seconds: 75, "@timestamp": 2026-01-16T02:00:00Z, event.dataset: openssh.auth,
           event.action: ssh_login, event.outcome: failure, source.ip: 203.0.113.42, user.name: admin}
    - name: five failures over 301 seconds do not
      fires: false
      events:
        - {repeat: 5, every_seconds: 75.25, "@timestamp": "2026-01-16T02:00:00Z", event.dataset: openssh.auth,
           event.action: ssh_login, event.outcome: failure, source.ip: 203.0.113.42, user.name: admin}
"""

SQL_INJECTION = r"""
title: SQL injection
name: sql_injection
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0003
status: stable
tags: [attack.initial-access, attack.t1190]
level: critical
logsource: {category: webserver}
detection:
  union: {sakimori.request.decoded|re|i: '\bunion\b.*\bselect\b'}
  condition: union
sakimori:
  entity: source.ip
  confidence: 0.8
  message: "SQL injection from {source.ip} on {url.path}: {@matched}"
  details: {attack_type: =sql_injection, pattern_matched: "@pattern"}
  why: It reads what it should not.
  response: Look at the statement.
"""

BAN_EVASION = """
title: Ban evasion
name: ban_evasion
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0004
status: stable
level: medium
logsource: {product: sakimori, service: chat}
analytic: {type: ban_evasion}
sakimori:
  entity: client.fingerprint
  confidence: 0.7
  message: "{client.fingerprint} came back {@changes} times"
  details: {event: =security.evasion_suspected, prev_anon: "@previous_user", new_anon: "@new_user",
            changes_10min: "@changes", trigger_event: "@trigger", evidence: "@evidence"}
  why: A limit is evaded.
  response: Watch.
  window_seconds: 120
"""

CHAT_RISK = """
title: High risk in the chat
name: chat_high_risk
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0005
status: stable
level: high
logsource: {product: sakimori, service: chat}
analytic: {type: chat_risk}
sakimori:
  entity: client.fingerprint
  confidence: 0.8
  message: "risk {@risk_score}"
  details: {event: =security.risk_escalated, fingerprint: client.fingerprint, risk_score: "@risk_score",
            reason: "@reason"}
  why: It does not stop.
  response: Block.
  window_seconds: 3600
  decision: {action: block, seconds: 300}
"""

BLACKLIST = """
title: Address on a blacklist
name: blacklisted_address
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0006
status: stable
level: high
analytic: {type: indicator, list: addresses, datasets: [nginx.access, openssh.auth]}
sakimori:
  entity: source.ip
  confidence: 0.9
  message: "{source.ip} is on {@list} by {@indicator}"
  why: Known to be bad.
  response: Block.
"""

UNUSUAL_HOUR = """
title: Login at an unusual hour
name: unusual_access_time
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0007
status: stable
level: low
analytic: {type: unusual_hour, datasets: [openssh.auth], where: {event.outcome: success}}
sakimori:
  entity: user.name
  confidence: 0.3
  message: "{user.name} at {@hour}"
  details: {reason: =unusual_access_time}
  why: People sleep.
  response: Ask.
"""

DNS_TUNNEL = """
title: DNS tunnel
name: dns_tunnel
id: 5f0c2f0e-5ad5-4a4e-8e62-0b8f0a1d0008
status: stable
level: high
logsource: {category: dns}
analytic: {type: dns_tunnel}
sakimori:
  entity: source.ip
  confidence: 0.7
  message: "{source.ip} tunnels through {@registered_domain}"
  why: Data leaves.
  response: Block the domain.
"""

ALL = {
    "auth/brute_force_attack.yml": BRUTE_FORCE,
    "web/sql_injection.yml": SQL_INJECTION,
    "chat/ban_evasion.yml": BAN_EVASION,
    "chat/chat_high_risk.yml": CHAT_RISK,
    "auth/blacklisted_address.yml": BLACKLIST,
    "auth/unusual_access_time.yml": UNUSUAL_HOUR,
    "network/dns_tunnel.yml": DNS_TUNNEL,
}
LISTS = {"lists/addresses.txt": "# known\n198.51.100.7\n192.0.2.0/25  # a network\n"}
