package builder
import ("testing";"bytes";"strings")
func TestDbg(t *testing.T) {
	b := startForTest(t)
	var shown bytes.Buffer
	d, _ := NewDisplay(&shown, "rawjson")
	b.Run(t.Context(), sleepSession(t), []Job{sleepJob("python3.12", "10ms"), sleepJob("java21", "10ms")}, d)
	n:=0
	for _, l := range strings.Split(shown.String(), "\n") { if strings.Contains(l, "] sleep 10ms") { n++ } }
	if n>2 { for _, l := range strings.Split(shown.String(), "\n") { if strings.Contains(l, "leep") { t.Log(l) } }; t.Fail() }
}
