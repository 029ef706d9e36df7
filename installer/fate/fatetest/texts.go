package fatetest

// OneHost is the shortest cluster file.
const OneHost = "host: {partyid: 10000, ip: 192.168.0.1}"

// HACluster is a cluster file that an operator writes instead of following the guide for a second FATE-Flow.
const HACluster = `
host:
  partyid: 10000
  ip: 192.168.0.1
  rollsite:
    route_tables:
      - {id: default, routes: [{name: default, ip: 192.168.0.3, port: 9370}]}
      - id: 10000
        routes:
          - {name: default, ip: 192.168.0.1, port: 9370}
          - {name: fateflow, ip: 192.168.0.1, port: 9999}
  fate_flow: {ips: [192.168.0.1, 192.168.0.2]}
  mysql: {dbpasswd: fate_deV2999}
  zk: {lists: [{ip: 192.168.0.1}], use_acl: true, user: fate, passwd: fate}
  nginx: {ips: [192.168.0.1]}
`

// OrderHA spreads a party with high availability over three hosts.
const OrderHA = `
host:
  partyid: 10000
  ip: 192.168.0.1
  nodemanager: {ips: [192.168.0.1, 192.168.0.3]}
  fate_flow: {ips: [192.168.0.1, 192.168.0.2]}
  mysql: {dbpasswd: secret}
  zk: {lists: [{ip: 192.168.0.1}, {ip: 192.168.0.2}, {ip: 192.168.0.3}], passwd: secret}
  nginx: {ips: [192.168.0.1]}
`

// OutsideCluster uses a database that others installed, with the login of its administrator.
const OutsideCluster = `
mysql: {user: dba, passwd: Admins1}
host:
  partyid: 10000
  ip: 192.168.0.1
  mysql: {type: outside, ips: [192.168.0.77], dbpasswd: Service1}
`

// TenMistakes has ten mistakes of different kinds, one on each marked line.
const TenMistakes = `host:
  partyid: 12345678901              # 1
  rollsit: {}                       # 2
  ip: 192.168.0.1
  clustermanager:
    port: many                      # 3
    cores_per_node: 0               # 4
  fate_flow:
    proxy: rolsite                  # 5
  fateboard:
    port: 9380                      # 6
  mysql:
    ips: [192.168.0.300]            # 7
    dbpasswd: 'back\slash'          # 8
guest:
  partyid: 9999
  ip: 192.168.0.2
  rollsite:
    server_secure: true             # 9
    route_tables:
      - id: 9999
        routes:
          - {name: default, ip: 192.168.0.2, port: 9370}
          - {name: fate_flow, ip: 192.168.0.2, port: 9360} # 10
`
