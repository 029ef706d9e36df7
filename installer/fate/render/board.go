package render

import (
	"fmt"
	"strings"

	"fate-installer/installer/fate/cluster"
)

func renderBoard(s *cluster.Spec) ([]File, error) {
	if !s.Runs(cluster.FateBoard) {
		return nil, nil
	}
	return []File{{
		Path: s.Layout.BoardProperties(), Content: boardProperties(s), Perm: PermSecret, Secret: true,
		Component: "fateboard", Programs: running(s, cluster.FateBoard),
	}}, nil
}

// boardProperties is a Spring property file; Spring also gives a meaning to ${ and #{ in values, which validation
// refuses in passwords.
func boardProperties(s *cluster.Spec) []byte {
	p := &properties{}
	side := s.Side
	v := s.Profile.Board
	p.set("server.port", side.FateBoard.Port)
	p.set("fateflow.url", "http://"+flowURLHost(s))
	if v.AtLeast(1, 9) {
		p.set("fateflow.url-list", flowURLList(s))
	}
	if v.AtLeast(1, 8) { // must be present, and the same as FATE-Flow's, or the board can ask it nothing
		p.set("fateflow.http_app_key", side.FateFlow.AppKey)
		p.set("fateflow.http_secret_key", side.FateFlow.SecretKey.Reveal())
	}
	encoding := "spring.http.encoding."
	if v.AtLeast(1, 9, 1) {
		encoding = "server.servlet.encoding."
	}
	p.set(encoding+"charset", "UTF-8")
	p.set(encoding+"enabled", true)
	p.set("server.tomcat.uri-encoding", "UTF-8")
	if v.AtLeast(1, 8) {
		p.set("fateboard.front_end.cors", false)
		p.set("fateboard.front_end.url", "http://localhost:8028")
	}
	p.set("server.tomcat.max-threads", 1000)
	p.set("server.tomcat.max-connections", 20000)
	p.set("spring.servlet.multipart.max-file-size", "10MB")
	p.set("spring.servlet.multipart.max-request-size", "100MB")
	p.set("spring.servlet.session.timeout", "1800s")
	p.set("server.compression.enabled", true)
	p.set("server.compression.mime-types", "application/json,application/xml,text/html,text/xml,text/plain")
	p.set("server.board.login.username", side.FateBoard.User)
	p.set("server.board.login.password", s.Secrets.FateBoardAdmin.Reveal())
	if v.AtLeast(1, 11) {
		p.set("server.board.encrypt.private_key", "")
		p.set("server.board.encrypt.enable", false)
	}
	p.set("server.servlet.session.timeout", "4h")
	p.set("server.servlet.session.cookie.max-age", "4h")
	p.set("management.endpoints.web.exposure.exclude", "*")
	if v.AtLeast(1, 9) {
		p.set("feign.client.config.default.connectTimeout", 10000)
		p.set("feign.client.config.default.readTimeout", 10000)
	}
	if s.Profile.BoardNeedsDatabase() {
		p.set("spring.datasource.driver-Class-Name", "com.mysql.cj.jdbc.Driver")
		p.set("fateboard.datasource.jdbc-url", fmt.Sprintf(
			"jdbc:mysql://%s:%d/%s?characterEncoding=utf8&characterSetResults=utf8&autoReconnect=true&failOverReadOnly=false&serverTimezone=UTC&useSSL=false&allowPublicKeyRetrieval=true",
			cluster.FirstAddress(side.MySQL.IPs), side.MySQL.Port, side.FateBoard.DBName))
		p.set("fateboard.datasource.username", side.MySQL.User)
		p.set("fateboard.datasource.password", s.Secrets.MySQLUser.Reveal())
		p.set("spring.session.store-type", "jdbc")
		p.set("spring.session.jdbc.initialize-schema", "always")
	}
	return p.encodeJava()
}

// flowURLHost is host:port of FATE-Flow's HTTP interface as the board reaches it: through nginx when that balances.
func flowURLHost(s *cluster.Spec) string {
	if s.Side.Balanced() {
		return fmt.Sprintf("%s:%d", s.Side.Nginx.Entry(), s.Side.Nginx.HTTPPort)
	}
	return fmt.Sprintf("%s:%d", cluster.FirstAddress(s.Side.FateFlow.IPs), s.Side.FateFlow.HTTPPort)
}

// flowURLList names every FATE-Flow when there are several and no balancer chooses among them.
func flowURLList(s *cluster.Spec) string {
	flow := s.Side.FateFlow
	if len(flow.IPs) < 2 || s.Side.Balanced() {
		return ""
	}
	var list []string
	for _, ip := range flow.IPs {
		list = append(list, fmt.Sprintf("%s:%d", ip, flow.HTTPPort))
	}
	return strings.Join(list, ";")
}
