package packaging

import "testing"

// The names are those that SAM CLI gives to repositories.
func TestRepositoryNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ stack, function, want string }{
		{"demo", "HelloFunction", "demofe01ce2a/hellofunction65dbf3a1repo"},
		{"My-Stack", "Child/Hello_Fn", "mystack30711f98/childhellofn1235f3barepo"},
	} {
		if got := RepositoryName(c.stack, c.function); got != c.want {
			t.Errorf("%s of %s: got %s, want %s", c.function, c.stack, got, c.want)
		}
	}
	if one, other := RepositoryName("demo", "Hello-Fn"), RepositoryName("demo", "HelloFn"); one == other {
		t.Errorf("two functions share the repository %s", one)
	}
}

func TestStackName(t *testing.T) {
	t.Parallel()
	if got := StackName("app/template.yaml"); got != "sam-app-template" {
		t.Errorf("got %s", got)
	}
}
