#include "recovery/steps.h"

static int64_t now_ms(const struct steps *s)
{
    return clock_monotonic_ms(s->run->clock) - s->origin_ms;
}

static void end_running(struct steps *s, unsigned level)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->items[i].end_ms < 0 && s->items[i].level >= level)
            s->items[i].end_ms = now_ms(s);
}

static void add(struct steps *s, const char *name, unsigned level)
{
    end_running(s, level);
    if (s->count == STEPS_MAX)
        return;
    struct timed_step *new = &s->items[s->count++];
    *new = (struct timed_step){.name = name, .level = level, .begin_ms = now_ms(s), .end_ms = -1};
}

static void take_phase(void *arg, const char *phase)
{
    struct steps *s = arg;
    if (s->count > 0)
        add(s, phase, 1);
}

void steps_resume(struct steps *s)
{
    s->run->progress->on_phase_arg = s;
    s->run->progress->on_phase = take_phase;
}

void steps_begin(struct steps *s, const struct run *run)
{
    *s = (struct steps){
        .run = run, .origin_ms = clock_monotonic_ms(run->clock), .started_ms = clock_wall_ms(run->clock)};
    steps_resume(s);
}

void steps_next(struct steps *s, const char *name)
{
    s->run->progress->on_phase = NULL; /* it is a step, not a phase of one */
    progress_phase(s->run->progress, name, 0);
    s->run->progress->on_phase = take_phase;
    add(s, name, 0);
}

void steps_end(struct steps *s)
{
    end_running(s, 0);
    s->run->progress->on_phase = NULL;
    s->run->progress->on_phase_arg = NULL;
}

int64_t steps_total_ms(const struct steps *s)
{
    int64_t last = 0;
    for (unsigned i = 0; i < s->count; i++) {
        if (s->items[i].end_ms < 0)
            return now_ms(s);
        last = s->items[i].end_ms > last ? s->items[i].end_ms : last;
    }
    return last;
}

void steps_put_json(const struct steps *s, struct json_out *j)
{
    json_out_array_open(j, "steps");
    for (unsigned i = 0; i < s->count; i++) {
        const struct timed_step *t = &s->items[i];
        json_out_object_open(j, NULL);
        json_out_string(j, "name", t->name);
        json_out_uint(j, "level", t->level);
        json_out_fixed3(j, "begin", t->begin_ms);
        json_out_fixed3(j, "seconds", (t->end_ms < 0 ? now_ms(s) : t->end_ms) - t->begin_ms);
        json_out_object_close(j);
    }
    json_out_array_close(j);
}
