// tests/collection/crash/judge.hpp — whether a collection is one that a stopped run may leave behind.
//
// Each lane must stand after one of its steps, whole: no earlier than the last that had to survive, no later than the
// one that was under way. Across lanes nothing may be missing that was acknowledged before something that is there.
#pragma once

#include "collection/crash/events.hpp"

#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace kith_crash {

[[noreturn]] inline void fail(const std::string& text) {
    throw std::runtime_error(text);
}

/// All items of a store by lane, after it was seen that a walk, every key, the count and every record agree.
/// Throws: std::runtime_error, saying what does not.
inline std::vector<Model> contents(const Store& store, const Plan& plan) {
    std::vector<Model> models(plan.lanes);
    std::size_t walked = 0;
    std::uint64_t highest = 0;
    std::size_t without_text = 0;
    for (const Item& item : store.records()) {
        const std::uint64_t number = number_of(item);
        if (number >= plan.lanes * first_of_no_lane) fail("a walk meets " + item.id + ", which no step keeps");
        const auto version = static_cast<std::uint64_t>(item.version);
        if (item != item_of(plan.seed, number, version)) fail("a walk meets a changed " + item.id);
        if (!models[number % plan.lanes].emplace(number, version).second) fail("a walk meets " + item.id + " twice");
        highest = std::max(highest, number);
        without_text += item.text.has_value() ? 0U : 1U;
        ++walked;
    }
    if (store.count(kith::field<&Item::text>.is_null()) != without_text)
        fail("a condition finds other items without text");
    if (store.size() != walked)
        fail(std::to_string(store.size()) + " items, and a walk meets " + std::to_string(walked));
    for (std::uint64_t number = 0; number <= highest + plan.lanes; ++number) {
        const Model& model = models[number % plan.lanes];
        const auto expected = model.find(number);
        const std::optional<Item> found = store.get(key_of(number));
        if (expected == model.end()) {
            if (found.has_value()) fail(key_of(number) + " is found by its key, and no walk meets it");
        } else if (found != item_of(plan.seed, number, expected->second)) {
            fail(key_of(number) + (found.has_value() ? " is another by its key" : " is not found by its key"));
        }
    }
    return models;
}

/// Throws: std::runtime_error when a search does not find a record by its own vectors, or a condition by its version.
inline void search_everything(const Store& store, const Plan& plan, const std::vector<Model>& models) {
    constexpr std::size_t most = 400;
    std::size_t count = 0;
    std::map<std::uint64_t, std::size_t> of_version;
    for (const Model& model : models) {
        count += model.size();
        for (const auto& [number, version] : model) ++of_version[version];
    }
    const std::size_t stride = count / most + 1;  // every record of a store of the usual size
    std::size_t at = 0;
    for (const Model& model : models) {
        for (const auto& [number, version] : model) {
            if (at++ % stride != 0) continue;
            const Item item = item_of(plan.seed, number, version);
            const auto compare = [&](const auto& hits, const char* search) {
                if (hits.empty() || hits.front().record != item)
                    fail(std::string(search) + " does not find " + item.id);
            };
            const auto is_version = kith::field<&Item::version> == item.version;
            if (store.count(is_version) != of_version[version])
                fail("a condition does not find the items of step " + std::to_string(version));
            compare(store.nearest<&Item::near>(item.near).where(is_version).limit(2).ef_search(200).run(),
                    "a search under a condition");
            compare(store.nearest<&Item::exact>(item.exact).limit(2).run(), "an exact search");
            compare(store.nearest<&Item::near>(item.near).limit(2).ef_search(200).run(), "a search of the graph");
            compare(store.nearest<&Item::listed>(item.listed).limit(2).run(), "a search of the lists");
        }
    }
}

/// The first and last step of one lane after which it would look as it does.
struct Place {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
};

/// Throws: std::runtime_error when there is none it may be at.
inline Place place_of(const Plan& plan, const Events& events, Loss loss, std::uint64_t lane, const Model& model) {
    Lane steps(plan, lane);
    std::optional<Place> place;
    std::string missed;
    const std::uint64_t floor = events.floor(lane, loss);
    for (std::uint64_t number = 0; number <= events.begun(lane); ++number) {
        if (number > 0 && !events.skipped(lane, number)) steps.apply(steps.step(number), number);
        if (number < floor) continue;
        if (steps.model() == model) {
            if (!place.has_value()) place = Place{number, number};
            place->last = number;
        } else if (missed.empty()) {
            missed = " (after step " + std::to_string(number) + " it would hold " +
                     std::to_string(steps.model().size()) + " items; it holds " + std::to_string(model.size()) + ")";
        }
    }
    if (place.has_value()) return *place;
    fail("lane " + std::to_string(lane) + " is as after none of the steps " + std::to_string(floor) + " to " +
         std::to_string(events.begun(lane)) + missed);
}

/// The step after which each lane stands.
/// Throws: std::runtime_error when the store is in no state that it may be in.
inline Events::Positions positions_of(const Plan& plan, const Events& events, Loss loss,
                                      const std::vector<Model>& models) {
    std::vector<Place> places;
    for (std::uint64_t lane = 0; lane < plan.lanes; ++lane) {
        places.push_back(place_of(plan, events, loss, lane, models[lane]));
    }
    Events::Positions positions;
    for (std::uint64_t lane = 0; lane < plan.lanes; ++lane) {
        const Events::Positions before = events.before(lane, places[lane].first);
        for (std::uint64_t other = 0; other < plan.lanes; ++other) {
            if (places[other].last >= before[other]) continue;
            fail("a hole: step " + std::to_string(places[lane].first) + " of lane " + std::to_string(lane) +
                 " is there, and step " + std::to_string(before[other]) + " of lane " + std::to_string(other) +
                 ", acknowledged before, is not");
        }
        positions.push_back(places[lane].last);
    }
    return positions;
}

/// Throws: std::runtime_error when a folder or a file is there that an interrupted checkpoint or merge left.
inline void no_leftovers(const Store& store, const std::filesystem::path& path) {
    std::size_t folders = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
        if (entry.path().extension() == ".tmp") fail(entry.path().string() + " is still there");
        folders += entry.is_directory() && entry.path().parent_path() == path / "segments" ? 1U : 0U;
    }
    const std::size_t segments = store.stats().segments.size();
    if (folders != segments) {
        fail(std::to_string(folders) + " folders of segments, and " + std::to_string(segments) + " segments");
    }
}

/// Judges the store at `path` and returns where its lanes stand. It is opened for reading, for writing, after a write,
/// after a checkpoint, and after merging; in the end it is as it was found.
/// Throws: std::runtime_error, kith::Error.
inline Events::Positions judge(const std::filesystem::path& path, const Plan& plan, const Events& events, Loss loss) {
    kith::Options options = options_of(plan);
    options.durability = kith::Durability::each_commit();
    std::optional<std::vector<Model>> seen;
    kith::Options reading = options;
    reading.mode = kith::OpenMode::read_only;
    if (events.opened() || std::filesystem::exists(path)) seen = contents(Store(path, reading), plan);
    const std::uint64_t probe = plan.lanes * first_of_no_lane;
    std::vector<Model> models;
    Events::Positions positions;
    if (events.opened()) options.mode = kith::OpenMode::open;
    {
        Store store(path, options);
        models = contents(store, plan);
        if (seen.value_or(models) != models) fail("opened for reading it held something else");
        positions = positions_of(plan, events, loss, models);
        search_everything(store, plan, models);
        store.insert(item_of(plan.seed, probe, 1));
    }
    const auto expect = [&](const Store& store, const char* when) {
        try {
            if (contents(store, plan) != models) fail("it holds something else");
            search_everything(store, plan, models);
        } catch (const std::exception& error) {
            fail(std::string(when) + ": " + error.what());
        }
    };
    {
        Store store(path, options);
        if (store.recovery().torn_tail.has_value()) fail("a log that was mended and closed has a torn tail");
        if (!store.erase(key_of(probe))) fail("an insert after the recovery is not there when opened again");
        expect(store, "opened again after one more insert");
        store.checkpoint();
    }
    {
        Store store(path, options);
        if (store.recovery().replayed_batches != 0) fail("a checkpoint and a close left something to replay");
        expect(store, "opened again after a checkpoint");
        store.compact();
        expect(store, "after merging");
    }
    options.maintenance = kith::Maintenance::on_call;  // so that nothing comes while it is counted
    const Store store(path, options);
    expect(store, "opened again after merging");
    no_leftovers(store, path);
    return positions;
}

}  // namespace kith_crash
