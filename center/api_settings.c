/* SPDX-License-Identifier: Apache-2.0
 *
 * What people set: sensitivity, thresholds, exclusions, tags. Each change is audited in its own transaction.
 */
#include "center/api_audit.h"
#include "center/api_routes.h"
#include "center/detector.h"
#include "center/store_settings.h"

#include "base/sid.h"

#include <stdio.h>
#include <stdlib.h>

/* --- sensitivity and thresholds --- */

static struct workspace_settings *load_settings(struct api_work *work)
{
    struct workspace_settings *settings = calloc(1, sizeof(*settings));
    if (settings && store_workspace_settings(work->store, work->workspace, settings, NULL))
        return settings;
    if (settings)
        api_store_failed(work);
    else
        api_problem(work, 503, "no memory");
    free(settings);
    return NULL;
}

static void write_setting(struct json_writer *w, const struct workspace_settings *settings,
                          const struct detector *detector, unsigned index)
{
    const struct detector_setting *setting = &detector->settings[index];
    json_write_object(w, NULL);
    json_write_string(w, "name", setting->name);
    json_write_string(w, "unit", setting->unit);
    api_write_double(w, "value", workspace_setting(settings, detector, index));
    api_write_double(w, "low", setting->low);
    api_write_double(w, "medium", setting->medium);
    api_write_double(w, "high", setting->high);
    api_write_double(w, "least", setting->least);
    api_write_double(w, "most", setting->most);
    json_write_string(w, "doc", setting->doc);
    json_write_close(w);
}

static void write_detector(struct json_writer *w, const struct workspace_settings *settings,
                           const struct detector *detector)
{
    json_write_object(w, NULL);
    json_write_string(w, "word", detector->word);
    json_write_uint(w, "external_id", detector->external_id);
    json_write_string(w, "name", detector->name);
    json_write_string(w, "title", detector->title);
    json_write_string(w, "severity", severity_name(detector->severity));
    json_write_string(w, "mitre", detector->mitre);
    json_write_int(w, "learning_seconds", detector->learning / CLOCK_SECOND);
    json_write_bool(w, "off", workspace_off(settings, detector));
    json_write_string(w, "doc", detector->doc);
    json_write_string(w, "advice", detector->advice);
    json_write_array(w, "settings");
    for (unsigned i = 0; detector->settings && detector->settings[i].name; i++)
        write_setting(w, settings, detector, i);
    json_write_close(w);
    json_write_close(w);
}

bool api_detectors(struct api_work *work)
{
    struct workspace_settings *settings = load_settings(work);
    if (!settings)
        return false;
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "items");
    for (unsigned i = 0; detectors[i]; i++)
        write_detector(&work->answer, settings, detectors[i]);
    json_write_close(&work->answer);
    json_write_close(&work->answer);
    free(settings);
    return true;
}

static const char *const sensitivities[] = {"low", "medium", "high"};

bool api_settings_show(struct api_work *work)
{
    struct workspace_settings *settings = load_settings(work);
    struct json_writer *w = &work->answer;
    if (!settings)
        return false;
    json_write_object(w, NULL);
    json_write_string(w, "sensitivity", sensitivities[settings->sensitivity]);
    json_write_object(w, "settings");
    for (uint32_t i = 0; i < settings->override_count; i++) {
        char name[SETTING_NAME_MAX];
        snprintf(name, sizeof(name), "%s/%s", settings->overrides[i].detector,
                 settings->overrides[i].setting);
        api_write_double(w, name, settings->overrides[i].value);
    }
    for (uint32_t i = 0; i < settings->life_count; i++) {
        char name[sizeof(SETTING_TICKET_LIFE) + sizeof(settings->lives[i].domain)];
        snprintf(name, sizeof(name), SETTING_TICKET_LIFE "/%s", settings->lives[i].domain);
        api_write_double(w, name, settings->lives[i].hours);
    }
    json_write_close(w);
    json_write_array(w, "off");
    for (uint32_t i = 0; i < settings->off_count; i++)
        json_write_string(w, NULL, settings->off[i]);
    json_write_close(w);
    json_write_close(w);
    free(settings);
    return true;
}

/* Puts (NULL: takes away) a setting, and audits it. */
static void change_setting(struct api_work *work, const char *name, const char *value)
{
    char before[SETTING_VALUE_MAX];
    bool was = store_setting_get(work->store, work->workspace, name, before, sizeof(before));
    if (value)
        store_setting_put(work->store, work->workspace, name, value);
    else
        store_setting_remove(work->store, work->workspace, name);
    api_audit_add(work, work->workspace, "setting-changed", name, was ? before : NULL, value);
}

/* A detector's, or how long tickets of a domain live. */
static const struct detector_setting *find_setting(const char *name)
{
    static const struct detector_setting life = {.least = TICKET_LIFE_LEAST, .most = TICKET_LIFE_MOST};
    const char *slash = strchr(name, '/');
    if (strncmp(name, SETTING_TICKET_LIFE "/", sizeof(SETTING_TICKET_LIFE)) == 0)
        return slash[1] && strlen(name) < SETTING_NAME_MAX ? &life : NULL;
    for (unsigned i = 0; slash && detectors[i]; i++) {
        if (strlen(detectors[i]->word) != (size_t)(slash - name) ||
            strncmp(detectors[i]->word, name, (size_t)(slash - name)) != 0)
            continue;
        for (unsigned s = 0; detectors[i]->settings && detectors[i]->settings[s].name; s++)
            if (strcmp(detectors[i]->settings[s].name, slash + 1) == 0)
                return &detectors[i]->settings[s];
    }
    return NULL;
}

static bool patch_settings(struct api_work *work, json_t *settings)
{
    const char *name;
    json_t *value;
    if (settings && !json_is_object(settings))
        return api_problem(work, 422, "settings: an object is wanted");
    json_object_foreach(settings, name, value)
    {
        char text[40];
        const struct detector_setting *setting = find_setting(name);
        if (!setting)
            return api_problem(work, 422, "%.100s: there is no such setting", name);
        if (json_is_null(value)) {
            change_setting(work, name, NULL);
            continue;
        }
        double number = json_number_value(value);
        if (!json_is_number(value) || !(number >= setting->least && number <= setting->most))
            return api_problem(work, 422, "%.100s: a number from %.15g to %.15g is wanted", name,
                               setting->least, setting->most);
        snprintf(text, sizeof(text), "%.15g", number);
        change_setting(work, name, text);
    }
    return true;
}

static bool patch_off(struct api_work *work, json_t *off)
{
    const char *word;
    json_t *value;
    if (off && !json_is_object(off))
        return api_problem(work, 422, "off: an object of detectors and true or false is wanted");
    json_object_foreach(off, word, value)
    {
        char name[SETTING_NAME_MAX];
        if (!detector_by_word(word) || !json_is_boolean(value))
            return api_problem(work, 422, "off: %.60s is no detector, or not true or false", word);
        snprintf(name, sizeof(name), "%s/off", word);
        change_setting(work, name, json_is_true(value) ? "yes" : NULL);
    }
    return true;
}

static bool patch_all(struct api_work *work)
{
    char sensitivity[16] = "";
    if (!api_body_text(work, "sensitivity", false, sensitivity, sizeof(sensitivity)))
        return false;
    if (*sensitivity) {
        if (strcmp(sensitivity, "low") != 0 && strcmp(sensitivity, "medium") != 0 &&
            strcmp(sensitivity, "high") != 0)
            return api_problem(work, 422, "sensitivity: low, medium or high is wanted");
        change_setting(work, "sensitivity", sensitivity);
    }
    return patch_settings(work, json_object_get(work->json, "settings")) &&
           patch_off(work, json_object_get(work->json, "off"));
}

bool api_settings_patch(struct api_work *work)
{
    static const char *const keys[] = {"sensitivity", "settings", "off", NULL};
    return api_body_only(work, keys) && api_change(work, patch_all) && api_settings_show(work);
}

/* --- exclusions --- */

static const char *const exclusion_words[] = {"account", "computer", "address", "domain"};

static void write_exclusion(void *context, int64_t id, const struct exclusion *exclusion)
{
    struct json_writer *w = context;
    json_write_object(w, NULL);
    json_write_int(w, "id", id);
    json_write_string(w, "detector", exclusion->detector);
    json_write_string(w, "kind", exclusion_words[exclusion->kind]);
    json_write_string(w, "value", exclusion->value);
    json_write_close(w);
}

bool api_exclusions_list(struct api_work *work)
{
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "items");
    store_exclusions_list(work->store, work->workspace, write_exclusion, &work->answer);
    json_write_close(&work->answer);
    json_write_close(&work->answer);
    return !store_failed(work->store) || api_store_failed(work);
}

static bool take_exclusion(struct api_work *work, struct exclusion *to)
{
    char detector[64] = "*", kind[16] = "", value[ALERT_NAME_MAX] = "", text[256];
    struct fault fault;
    if (!api_body_text(work, "detector", false, detector, sizeof(detector)) ||
        !api_body_text(work, "kind", true, kind, sizeof(kind)) ||
        !api_body_text(work, "value", true, value, sizeof(value)))
        return false;
    if (strpbrk(detector, " \t") || strpbrk(kind, " :"))
        return api_problem(work, 422, "detector and kind are words");
    snprintf(text, sizeof(text), "%s %s:%s", detector, kind, value);
    return exclusion_parse(text, to, &fault) || api_problem(work, 422, "%s", fault.text);
}

static bool add_exclusion(struct api_work *work)
{
    struct exclusion exclusion;
    char text[256];
    int64_t id = 0;
    if (!take_exclusion(work, &exclusion))
        return false;
    store_exclusion_add(work->store, work->workspace, &exclusion, &id);
    snprintf(text, sizeof(text), "%s %s:%s", exclusion.detector, exclusion_words[exclusion.kind],
             exclusion.value);
    api_audit_add(work, work->workspace, "exclusion-added", text, NULL, text);
    write_exclusion(&work->answer, id, &exclusion);
    return true;
}

bool api_exclusion_add(struct api_work *work)
{
    static const char *const keys[] = {"detector", "kind", "value", NULL};
    work->status = 201;
    return api_body_only(work, keys) && api_change(work, add_exclusion);
}

static bool remove_exclusion(struct api_work *work)
{
    int64_t id;
    if (!api_part_number(work, &id))
        return false;
    if (!store_exclusion_remove(work->store, work->workspace, id))
        return api_problem(work, 404, "there is no such exclusion");
    api_audit_add(work, work->workspace, "exclusion-removed", work->part, work->part, NULL);
    work->status = 204;
    return true;
}

bool api_exclusion_remove(struct api_work *work)
{
    return api_change(work, remove_exclusion);
}

/* --- tags --- */

static void write_tag(void *context, int64_t id, const struct stored_tag *tag)
{
    struct json_writer *w = context;
    json_write_object(w, NULL);
    json_write_int(w, "id", id);
    json_write_string(w, "tag", tag->tag);
    api_write_guid(w, "guid", tag->has_guid ? tag->guid : NULL);
    json_write_string(w, "kind", subject_kind_name(tag->kind));
    json_write_string(w, "name", tag->name);
    json_write_string(w, "domain", tag->domain);
    json_write_close(w);
}

bool api_tags_list(struct api_work *work)
{
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "items");
    store_tags_list(work->store, work->workspace, write_tag, &work->answer);
    json_write_close(&work->answer);
    json_write_close(&work->answer);
    return !store_failed(work->store) || api_store_failed(work);
}

static bool is_tag(const char *word)
{
    static const char *const words[] = {"sensitive", "honeytoken", "synchronizer", "dns-server"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

static bool take_tag(struct api_work *work, struct stored_tag *tag)
{
    char guid[40] = "", kind[16] = "account";
    *tag = (struct stored_tag){.kind = SUBJECT_NONE};
    if (!api_body_text(work, "tag", true, tag->tag, sizeof(tag->tag)) ||
        !api_body_text(work, "guid", false, guid, sizeof(guid)) ||
        !api_body_text(work, "kind", false, kind, sizeof(kind)) ||
        !api_body_text(work, "name", false, tag->name, sizeof(tag->name)) ||
        !api_body_text(work, "domain", false, tag->domain, sizeof(tag->domain)))
        return false;
    if (!is_tag(tag->tag))
        return api_problem(work, 422, "tag: sensitive, honeytoken, synchronizer or dns-server is wanted");
    for (unsigned i = SUBJECT_NONE + 1; i < SUBJECT_KINDS && tag->kind == SUBJECT_NONE; i++)
        if (strcmp(subject_kind_name((enum subject_kind)i), kind) == 0)
            tag->kind = (enum subject_kind)i;
    if (tag->kind == SUBJECT_NONE)
        return api_problem(work, 422, "kind: account, computer or group is wanted");
    tag->has_guid = *guid != '\0';
    if (tag->has_guid && !uuid_parse(guid, strlen(guid), tag->guid))
        return api_problem(work, 422, "guid: 00112233-4455-6677-8899-aabbccddeeff is wanted");
    return tag->has_guid || *tag->name || api_problem(work, 422, "guid or name is wanted");
}

static bool add_tag(struct api_work *work)
{
    struct stored_tag tag;
    int64_t id = 0;
    if (!take_tag(work, &tag))
        return false;
    store_tag_add(work->store, work->workspace, &tag, &id);
    api_audit_add(work, work->workspace, "tag-added", tag.name, NULL, tag.tag);
    write_tag(&work->answer, id, &tag);
    return true;
}

bool api_tag_add(struct api_work *work)
{
    static const char *const keys[] = {"tag", "guid", "kind", "name", "domain", NULL};
    work->status = 201;
    return api_body_only(work, keys) && api_change(work, add_tag);
}

static bool remove_tag(struct api_work *work)
{
    int64_t id;
    if (!api_part_number(work, &id))
        return false;
    if (!store_tag_remove(work->store, work->workspace, id))
        return api_problem(work, 404, "there is no such tag");
    api_audit_add(work, work->workspace, "tag-removed", work->part, work->part, NULL);
    work->status = 204;
    return true;
}

bool api_tag_remove(struct api_work *work)
{
    return api_change(work, remove_tag);
}
