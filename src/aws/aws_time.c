#include "aws/aws_time.h"

#include "core/clock.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_BYTES 19 /* "2026-11-23T19:04:05" */

/* "Z", "+hh:mm", "-hhmm" to milliseconds east of UTC. */
static bool parse_zone(const char *text, int64_t *offset_ms)
{
    unsigned hours, minutes;
    char end;
    *offset_ms = 0;
    if (strcmp(text, "Z") == 0)
        return true;
    if (*text != '+' && *text != '-')
        return false;
    if (sscanf(text + 1, "%2u:%2u%c", &hours, &minutes, &end) != 2 &&
        (strlen(text) != 5 || sscanf(text + 1, "%2u%2u", &hours, &minutes) != 2))
        return false;
    int64_t ms = ((int64_t)hours * 60 + minutes) * 60000;
    *offset_ms = *text == '-' ? -ms : ms;
    return hours < 24 && minutes < 60;
}

bool aws_time_parse(const char *text, int64_t *wall_ms)
{
    char iso[CLOCK_ISO_BYTES];
    int64_t offset_ms, ms;
    if (strlen(text) < SECONDS_BYTES)
        return false;
    snprintf(iso, sizeof iso, "%.*sZ", SECONDS_BYTES, text);
    const char *rest = text + SECONDS_BYTES;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (!clock_parse_iso(iso, &ms) || !parse_zone(rest, &offset_ms))
        return false;
    *wall_ms = ms - offset_ms;
    return true;
}

bool aws_time_parse_http(const char *text, int64_t *wall_ms)
{
    time_t t = curl_getdate(text, NULL); /* knows no locale */
    *wall_ms = (int64_t)t * 1000;
    return t != -1;
}
