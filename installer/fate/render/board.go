package render

import (
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/yamltext"
	"fate-installer/supervisor/config"
)

const boardModule = cluster.FateBoard

func boardProgram(s *cluster.Spec) config.Program {
	home := s.Layout.Board()
	command := append(java(s), "-Dspring.config.location="+s.Layout.BoardProperties(),
		"-Dssh_config_file="+home+"/ssh/")
	if !s.Profile.Board.AtLeast(1, 7) {
		command = append(command, "-DFATE_DEPLOY_PREFIX="+path.Join(s.Layout.Project(), "logs")+"/")
	}
	command = append(command, heapOptions(s, boardModule)...)
	command = append(command, gcLogOptions(s, "logs/gc.log")...)
	command = append(command, "-XX:+HeapDumpOnOutOfMemoryError", "-XX:+ExitOnOutOfMemoryError", "-jar",
		path.Join(home, "fateboard.jar"))
	p := program(s, boardModule, command...)
	p.Environment = withLibraries(s, map[string]string{"JAVA_HOME": s.JavaHome(), "LANG": "C.UTF-8"}, "jdk")
	p.LogFiles = []string{path.Join(s.Layout.ComponentLogs(boardModule.LogDir()), "*", "error.*.log"),
		path.Join(home, javaCrashLogs)}
	p.ExitCodes = []int{0, 143} // a JVM's answer to TERM
	p.ReadyTimeout = 5 * time.Minute
	p.Needs = running(s, cluster.FateFlow) // it starts without, and shows nothing then
	// A jar without a page answers its API all the same, and 404 here.
	p.ReadyHTTP = &config.HTTPProbe{
		URL: "http://" + loopback(s.Side.FateBoard.Port) + "/", Status: http.StatusOK, OrStatus: http.StatusNotFound,
	}
	return p
}

// boardBlock names the board in the configuration of FATE-Flow.
func boardBlock(side *cluster.Side) yamltext.Map {
	return yamltext.Map{yamltext.Item("host", cluster.FirstAddress(side.FateBoard.IPs)),
		yamltext.Item("port", side.FateBoard.Port)}
}

func renderBoard(s *cluster.Spec) ([]File, error) {
	if !s.Runs(boardModule) {
		return nil, nil
	}
	return []File{{
		Path: s.Layout.BoardProperties(), Content: boardProperties(s), Perm: PermSecret, Secret: true,
		Component: s.MainComponent(boardModule), Programs: running(s, boardModule),
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
