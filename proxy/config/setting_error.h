// A setting that is written correctly and cannot be put into effect.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace berth::config {

// what() says why, for people. setting() is its path, such as "listeners[0].address": place_of()
// finds it in the file.
class SettingError : public std::runtime_error {
 public:
  SettingError(std::string setting, const std::string& why)
      : std::runtime_error(why), setting_(std::move(setting)) {}
  const std::string& setting() const { return setting_; }

 private:
  std::string setting_;
};

// Runs `work`; what fails in it is about this setting.
template <class Work>
auto about_setting(const std::string& setting, Work&& work) {
  try {
    return work();
  } catch (const SettingError&) {
    throw;
  } catch (const std::runtime_error& error) {
    throw SettingError(setting, error.what());
  }
}

}  // namespace berth::config
