package cluster

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/fate/yamltext"
	"fate-installer/installer/problem"
)

// FateBoard is FATE-Board, where people look at jobs.
const FateBoard Module = "fateboard"

// boardComponent is its component in a payload.
const boardComponent = "fateboard"

// boardHeapMiB is upstream's -Xmx and -Xms.
const boardHeapMiB = 2048

// boardAdmin is the password of FATE-Board's login.
var boardAdmin = secretEntry{
	name: "fateboard_admin", command: "fateboard",
	what: "the password of FATE-Board", generated: "the generated password of FATE-Board",
	published: publishedBoardPassword,
	of:        func(s *Secrets) *Secret { return &s.FateBoardAdmin },
	key:       "fateboard.passwd", own: func(s *Side) Secret { return s.FateBoard.Password },
	files: []string{"application.properties"},
}

func boardModule() moduleEntry {
	return moduleEntry{
		module: FateBoard, key: "fateboard", group: "fateboard",
		conf: func(s *Side) moduleSwitch { return moduleSwitch{&s.FateBoard.Enable, &s.FateBoard.IPs} },
		defaults: func(s *Side) {
			s.FateBoard.Port = 8080
			s.FateBoard.DBName = "fate_flow"
			s.FateBoard.User = "admin"
		},
		block: func(_ *Cluster, s *Side) yamltext.Map {
			b := s.FateBoard
			return append(modulesItems(b.Enable, b.IPs), yamltext.Item("port", b.Port),
				yamltext.Item("dbname", b.DBName), yamltext.Item("user", b.User),
				secretItem("passwd", s.Secrets.FateBoardAdmin))
		},
		validate: func(k *checker, s *Side) {
			if s.FateBoard.Enable && len(s.FateFlow.IPs) == 0 {
				k.bad(string(s.Role)+".fate_flow.ips", "name the host of fate_flow",
					"fateboard needs fate_flow, which has no address")
			}
		},
		texts: func(s *Side) []carried {
			return []carried{{"fateboard.user", "the user of FATE-Board", s.FateBoard.User,
				[]string{"application.properties"}}}
		},

		port: func(s *Side) int { return s.FateBoard.Port },

		components: made("jdk", boardComponent),
		main: &component{name: boardComponent, envKey: "FATEBoard",
			home: func(l Layout, _ string) string { return l.Board() }},

		home:    func(s *Spec) string { return s.Layout.Board() },
		logs:    "fateboard",
		logLink: func(l Layout) string { return path.Join(l.Board(), "logs") },
		mark:    processMark{"fateboard.jar", "FATE-Board"},
		heap:    heapShare{16, 192, boardHeapMiB, boardHeapMiB},
		memory:  measured(Resident{586, 586}, Resident{568, 568}),

		wants:     func(s *Spec) []Module { return when(s.Profile.BoardNeedsDatabase(), []Module{MySQL}) },
		outward:   true,
		forPeople: true,
		database:  func(s *Side) databaseUse { return databaseUse{"fateboard.dbname", s.FateBoard.DBName} },
		secrets: func(s *Spec) []string {
			return append(when(s.Profile.BoardNeedsDatabase(), []string{"mysql_user"}), boardAdmin.name)
		},
		check: func(s *Spec, problems *problem.Problems) {
			if s.Profile.BoardNeedsDatabase() && !s.LogsIn() && s.Side.Secrets.MySQLUser.IsZero() {
				problems.Add(s.Cluster.At("%s.mysql", s.Role), "write mysql.dbpasswd",
					"FATE-Board %s logs into the database from a host of its own: mysql.dbpasswd is needed",
					s.Profile.Board)
			}
		},
		old: oldBoard(),
	}
}

func oldBoard() OldModule {
	own := func(key string) Setting { return Setting{FateBoard, key} }
	return OldModule{
		Home: Layout.Board, Jar: "fateboard-", Conf: Layout.BoardProperties,
		Address: Setting{FateFlow, "fateboard.host"},
		Block: []OldSetting{
			{"port", OldNumber, []Setting{own("server.port"), {FateFlow, "fateboard.port"}}},
			{"dbname", OldDatabase, []Setting{own("fateboard.datasource.jdbc-url")}},
			{"user", OldText, []Setting{own("server.board.login.username")}},
		},
		Secrets: []OldSecret{{"mysql_user", "fateboard.datasource.password"},
			{boardAdmin.name, "server.board.login.password"}, {HTTPSecret, "fateflow.http_secret_key"}},
		Program: func(s *Spec) map[string]string {
			home := s.Layout.Board()
			return oldScript(s.Layout, path.Join(home, "service.sh"), home, "fateboard")
		},
		Process: func(p OldProcess) bool {
			return p.has(func(a string) bool { return strings.HasPrefix(path.Base(a), "fateboard") }) &&
				slices.Contains(p.Args, "-jar")
		},
		Wrote: oldBoardWrote,
	}
}

func oldBoardWrote(s *Spec, key string, theirs, ours *string) bool {
	value := ""
	if theirs != nil {
		value = *theirs
	}
	switch key {
	case "fateflow.url": // a balancer in front of it is written there by hand
		return slices.ContainsFunc(s.Side.FateFlow.IPs, func(ip string) bool {
			return value == fmt.Sprintf("http://%s:%d", ip, s.Side.FateFlow.HTTPPort)
		})
	case "spring.http.encoding.charset":
		return value == "UTF-8"
	case "spring.http.encoding.enabled":
		return value == "true"
	case "server.servlet.encoding.charset", "server.servlet.encoding.enabled":
		return theirs == nil
	case "fateboard.datasource.jdbc-url":
		if theirs == nil || ours == nil {
			return false
		}
		database, _, _ := strings.Cut(*ours, "?")
		same, _, _ := strings.Cut(value, "?")
		return same == database // with other options
	}
	return false
}

// BoardConf is FATE-Board.
type BoardConf struct {
	Enable   bool     `yaml:"enable"`
	IPs      []string `yaml:"ips"`
	Port     int      `yaml:"port"`
	DBName   string   `yaml:"dbname"`
	User     string   `yaml:"user"`   // ours: web login
	Password Secret   `yaml:"passwd"` // ours
}

// Board is the home and working directory of FATE-Board.
func (l Layout) Board() string { return path.Join(l.Project(), "fateboard") }

// BoardProperties is FATE-Board's configuration.
func (l Layout) BoardProperties() string {
	return path.Join(l.Board(), "conf", "application.properties")
}

// BoardNeedsDatabase reports whether FATE-Board logs into MySQL itself (before 1.8).
func (p Profile) BoardNeedsDatabase() bool { return !p.Board.AtLeast(1, 8) }
