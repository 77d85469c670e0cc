// src/collection/aside_folder.cpp — made, locked, synced and renamed.
#include "collection/aside_folder.hpp"

#include "collection/layout.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/system_error.hpp"
#include "storage/flock.hpp"

#include <system_error>
#include <vector>

namespace kith::inline v0::detail {

namespace {

bool stands_at(const std::filesystem::path& path) {
    std::error_code error;
    const bool found = std::filesystem::exists(std::filesystem::symlink_status(path, error));
    if (error && error != std::errc::no_such_file_or_directory) raise_system(error.value(), "look at", path);
    return found;
}

}  // namespace

std::filesystem::path absolute_path(const std::filesystem::path& path) {
    if (path.empty()) raise(Errc::invalid_argument, "the path is empty");
    std::error_code error;
    std::filesystem::path whole = std::filesystem::absolute(path, error);
    if (!error) whole = std::filesystem::weakly_canonical(whole, error);
    if (error) raise_system(error.value(), "look at", path);
    return whole.has_filename() ? whole : whole.parent_path();
}

AsideFolder::AsideFolder(const std::filesystem::path& destination)
    : destination_(destination), aside_(destination.string() + std::string(unfinished_ending)) {
    const std::filesystem::path around = destination_.parent_path();
    if (!stands_at(around)) raise(Errc::not_found, around.string() + " does not exist");
    File left = File::open_if_there(aside_);
    if (left.is_open()) {
        if (!lock_now(left, LOCK_EX)) raise(Errc::locked, aside_.string() + " is being made by another call");
        std::error_code error;
        std::filesystem::remove_all(aside_, error);
        if (error) raise_system(error.value(), "remove", aside_);
    }
    if (!make_directory(aside_)) raise(Errc::locked, aside_.string() + " is being made by another call");
    lock_ = File::open_to_read(aside_);
    if (!lock_now(lock_, LOCK_EX) || !is_current(lock_)) {
        raise(Errc::locked, aside_.string() + " is being made by another call");
    }
}

AsideFolder::~AsideFolder() {
    std::error_code ignored;
    if (!published_) std::filesystem::remove_all(aside_, ignored);
}

void AsideFolder::sync() const {
    std::vector<std::filesystem::path> folders{aside_};
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator entry(aside_, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->is_directory()) folders.push_back(entry->path());
    }
    if (error) raise_system(error.value(), "list", aside_);
    for (const std::filesystem::path& folder : folders) sync_directory(folder);
}

void AsideFolder::publish() {
    sync();
    // Renaming would replace an empty folder.
    if (stands_at(destination_)) raise(Errc::already_exists, destination_.string() + " exists");
    const std::exception_ptr failed = attempt([&] { rename_durably(aside_, destination_); });
    if (failed != nullptr) {
        std::error_code ignored;  // the name may have been given, and only its sync failed
        if (!stands_at(aside_)) std::filesystem::rename(destination_, aside_, ignored);
        std::rethrow_exception(failed);
    }
    published_ = true;
}

void AsideFolder::exchange(const std::filesystem::path& kept) {
    sync();
    const std::exception_ptr failed = attempt([&] {
        rename_durably(destination_, kept);
        rename_durably(aside_, destination_);
    });
    if (failed != nullptr) {
        std::error_code ignored;  // a name may have been given, and only its sync failed
        if (!stands_at(aside_)) std::filesystem::rename(destination_, aside_, ignored);
        if (!stands_at(destination_)) std::filesystem::rename(kept, destination_, ignored);
        std::rethrow_exception(failed);
    }
    published_ = true;
}

}  // namespace kith::inline v0::detail
