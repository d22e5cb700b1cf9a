package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// Lane is one of the two queues that each campaign has, so that cheap steps never wait behind attempts.
type Lane string

// The lanes. A job in the attempts lane keeps its place while its attempt runs: the place is the back-pressure. Its
// liveness is the lease's, so nothing depends on River noticing that it is stuck.
const (
	LaneAttempts Lane = "a"
	LaneSteps    Lane = "s"
)

// Job wakes one target up. It carries no decision: whoever works it reads the row.
type Job struct {
	Target   int64
	Campaign string
	Lane     Lane
	After    time.Duration // not before this long from now
}

type targetArgs struct {
	Target int64 `json:"target"`
}

func (targetArgs) Kind() string { return "target" }

// queueName keeps campaigns apart, so that running one does not run what another left behind. River allows letters, digits, - and _.
func queueName(campaign string, lane Lane) string {
	sum := sha256.Sum256([]byte(campaign))
	return string(lane) + "_" + hex.EncodeToString(sum[:8])
}

// pollEvery is how often queues are asked for jobs that nobody told of: those of another process on SQLite, and those whose
// time has come. What asking costs is spent all the while that agents and forges take their time. PostgreSQL tells, but
// River may leave out to tell of jobs that come fast upon each other.
const (
	pollEvery       = 250 * time.Millisecond
	pollEveryShared = 50 * time.Millisecond
)

// ErrSnooze is returned by a handler that wants its job again later.
type ErrSnooze struct{ For time.Duration }

func (e ErrSnooze) Error() string { return fmt.Sprintf("again in %s", e.For) }

// WorkConfig says what a process works on.
type WorkConfig struct {
	Worker    string   // from Store.Enlist
	Campaigns []string // whose jobs to work
	Attempts  int      // at once
	Steps     int      // at once
	// Handle takes a target one step further. An error other than ErrSnooze is retried with growing delays.
	Handle func(ctx context.Context, target int64) error
}

// jobs is River with its transaction type hidden.
type jobs interface {
	open() error
	insert(ctx context.Context, tx *Tx, all []Job) error
	// ring tells this process's workers of jobs in queues, once they are committed.
	ring(queues map[string]bool)
	work(ctx context.Context, clock func() time.Time, cfg WorkConfig) error
	// stuck lists jobs marked as running by workers for which dead says so.
	stuck(ctx context.Context, dead func(worker string) bool) ([]int64, error)
}

type riverJobs[TTx any] struct {
	driver riverdriver.Driver[TTx]
	client *river.Client[TTx] // inserts only
	poll   time.Duration
}

func (r *riverJobs[TTx]) ring(queues map[string]bool) {
	if b, ok := r.driver.(*bell[TTx]); ok {
		b.ring(queues)
	}
}

// quiet: River's own log lines are for River's operators; what goes wrong in a job is an event or an error of ours.
var quiet = slog.New(slog.DiscardHandler)

func (r *riverJobs[TTx]) open() (err error) {
	r.client, err = river.NewClient(r.driver, &river.Config{Logger: quiet})
	return err
}

func (r *riverJobs[TTx]) insert(ctx context.Context, tx *Tx, all []Job) error {
	if len(all) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(all))
	for i, j := range all {
		opts := &river.InsertOpts{Queue: queueName(j.Campaign, j.Lane), MaxAttempts: 1000}
		if j.After > 0 {
			opts.ScheduledAt = tx.store.Now().Add(j.After)
		}
		params[i] = river.InsertManyParams{Args: targetArgs{j.Target}, InsertOpts: opts}
	}
	if _, err := r.client.InsertManyFastTx(ctx, tx.raw.(TTx), params); err != nil {
		return explain(err)
	}
	if tx.woken == nil {
		tx.woken = map[string]bool{}
	}
	for _, p := range params {
		tx.woken[p.InsertOpts.Queue] = true
	}
	return nil
}

type targetWorker struct {
	river.WorkerDefaults[targetArgs]
	handle func(ctx context.Context, target int64) error
}

func (w *targetWorker) Work(ctx context.Context, job *river.Job[targetArgs]) error {
	err := w.handle(ctx, job.Args.Target)
	var snooze ErrSnooze
	if errors.As(err, &snooze) {
		return river.JobSnooze(snooze.For)
	}
	return err
}

// Timeout is none: an attempt is bounded by its own limits, and a lost one is found by its lease.
func (w *targetWorker) Timeout(*river.Job[targetArgs]) time.Duration { return -1 }

func (w *targetWorker) NextRetry(job *river.Job[targetArgs]) time.Time {
	wait := time.Second << min(len(job.Errors), 5)
	return time.Now().Add(wait)
}

func (r *riverJobs[TTx]) work(ctx context.Context, _ func() time.Time, cfg WorkConfig) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, &targetWorker{handle: cfg.Handle})
	queues := map[string]river.QueueConfig{}
	for _, c := range cfg.Campaigns {
		queues[queueName(c, LaneAttempts)] = river.QueueConfig{MaxWorkers: cfg.Attempts}
		queues[queueName(c, LaneSteps)] = river.QueueConfig{MaxWorkers: cfg.Steps}
	}
	client, err := river.NewClient(r.driver, &river.Config{
		ID:                cfg.Worker,
		Logger:            quiet,
		Queues:            queues,
		Workers:           workers,
		JobTimeout:        -1,
		FetchCooldown:     2 * time.Millisecond,
		FetchPollInterval: r.poll,
		// Finished jobs say nothing that events do not; kept short, the table stays small.
		CompletedJobRetentionPeriod: time.Minute,
	})
	if err != nil {
		return err
	}
	// Stopping is ours: River would cancel jobs' contexts with ctx at once, before they could record that they stop.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return explain(err)
	}
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return client.StopAndCancel(stopping)
}

func (r *riverJobs[TTx]) stuck(ctx context.Context, dead func(worker string) bool) ([]int64, error) {
	var ids []int64
	params := river.NewJobListParams().States(rivertype.JobStateRunning).Kinds(targetArgs{}.Kind()).First(1000)
	for {
		page, err := r.client.JobList(ctx, params)
		if err != nil {
			return nil, explain(err)
		}
		for _, j := range page.Jobs {
			if n := len(j.AttemptedBy); n > 0 && dead(j.AttemptedBy[n-1]) {
				ids = append(ids, j.ID)
			}
		}
		if len(page.Jobs) < 1000 {
			return ids, nil
		}
		params = params.After(page.LastCursor)
	}
}

// Work runs the campaigns' jobs until ctx ends, then lets the handlers under way return, with their contexts canceled.
func (s *Store) Work(ctx context.Context, cfg WorkConfig) error {
	return s.jobs.work(ctx, s.clock, cfg)
}

// Wake enqueues jobs, in the transaction.
func (tx *Tx) Wake(ctx context.Context, all ...Job) error { return tx.store.jobs.insert(ctx, tx, all) }
