package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"gaggle/internal/fleet"
	"gaggle/internal/ops"
	"gaggle/internal/rulemodel"
)

// Names under which the rule-driven model is asked, so that nobody takes it for a real one in a record.
const (
	ruleAgent = "rules"
	ruleJudge = "rules-judge"
)

// chooseModels takes the models of the environment, or starts the rule-driven one. stop ends what was started.
func chooseModels(ctx context.Context, env func(string) string, say *teller) (models ops.Models, real bool, stop func(), err error) {
	if models = ops.ModelsFromEnvironment(env); models.Ready() {
		say.step("%s makes the changes and %s judges them", models.Model, models.Judge)
		if models.Anthropic.Free || models.OpenAI.Free {
			say.note("they are asked at an endpoint on this machine, which the environment names")
		} else {
			say.note("the environment has a key, so real models are asked, for real money: at most $5.00 (campaign.yaml)")
		}
		return models, true, func() {}, nil
	}
	url, stop, err := serveRules(ctx)
	if err != nil {
		return models, false, nil, err
	}
	say.step("neither ANTHROPIC_API_KEY nor OPENAI_API_KEY is set, so NO real model is asked:")
	say.note("a rule-driven model server stands in at %s. It speaks the same wire format", url)
	say.note("and follows rules on the prompt and the code that it is sent. All the rest is the real thing.")
	return ops.Models{Anthropic: ops.Endpoint{URL: url, Free: true}, Model: ruleAgent, Judge: ruleJudge}, false, stop, nil
}

// serveRules serves the rule-driven model on loopback.
func serveRules(ctx context.Context) (url string, stop func(), err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, &fleet.Error{Code: fleet.CodeNotReady, Message: "the rule-driven model cannot listen on 127.0.0.1", Err: err}
	}
	server := &http.Server{Handler: rulemodel.New(rulemodel.Config{Lazy: true}), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	return fmt.Sprintf("http://%s", l.Addr()), func() {
		_ = server.Close()
		if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) {
			_ = err // what it could not answer, the run has said
		}
	}, nil
}
