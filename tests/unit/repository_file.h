// Files of the repository, for tests that compare them with the code.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace berth {

// The contents of a file, by its path in the repository.
inline std::string file_text(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path << ": the tests run in the top folder of the repository";
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace berth
